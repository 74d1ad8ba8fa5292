"""The time slots of periodic steps: of several clocks that say a step is due, one gets it."""

from datetime import datetime, timedelta

from django.utils import timezone

from environments.models import Slot

# How far apart the clocks of two machines may be.
APART = timedelta(seconds=2)


def claim(step: str, *, now: datetime, next_at: datetime, every: timedelta | None = None) -> datetime | None:
    """When the step was due, for the one caller that is to run it now; None for all others, and before its time.

    `every`: the time from one to the next, where `next_at` is not `now` and that time.
    """
    slot, _ = Slot.objects.get_or_create(name=step, defaults={"due_at": now})
    # Whoever looked at the clock a moment later has perhaps run it already, and moved it on beyond `next_at`; only what
    # is further off was written by a clock that was wrong, and waiting for it would end the step for good.
    if now < slot.due_at <= next_at + max(every or next_at - now, APART):
        return None
    taken = Slot.objects.filter(pk=slot.pk, due_at=slot.due_at).update(due_at=next_at)
    return slot.due_at if taken else None


def lock(name: str) -> None:
    """Nobody else gets past this, by the same name, until the transaction ends."""
    Slot.objects.get_or_create(name=name, defaults={"due_at": timezone.now()})
    Slot.objects.select_for_update().get(name=name)
