"""The time slots of periodic steps: of several clocks that say a step is due, one gets it."""

from datetime import datetime

from environments.models import Slot


def claim(step: str, *, now: datetime, next_at: datetime) -> datetime | None:
    """When the step was due, for the one caller that is to run it now; None for all others, and before its time."""
    slot, _ = Slot.objects.get_or_create(name=step, defaults={"due_at": now})
    # A time beyond the next one was written by a clock that was wrong; waiting for it would end the step for good.
    if now < slot.due_at <= next_at:
        return None
    taken = Slot.objects.filter(pk=slot.pk, due_at=slot.due_at).update(due_at=next_at)
    return slot.due_at if taken else None
