"""Which processes of the control plane are alive, and whether they share what they should."""

from collections.abc import Mapping
from datetime import timedelta

from django.db.models import Count
from django.db.models.functions import Now

from environments.models import Instance

# An instance is noted every few seconds; one that is not for so long is gone.
ALIVE = timedelta(seconds=15)
KEPT = timedelta(hours=1)


def alive() -> dict[str, int]:
    """How many of each part there are now."""
    rows = Instance.objects.filter(seen_at__gt=Now() - ALIVE).order_by().values("part")
    return dict(rows.annotate(number=Count("pk")).values_list("part", "number"))


def note(*, name: str, part: str, host: str, marks: Mapping[str, str]) -> list[Instance]:
    """Note that this one is alive. The others that began before it and were heard of since: with those it must share.

    One that was killed and started again is not told of itself.
    """
    renewed = Instance.objects.filter(name=name).update(marks=dict(marks), seen_at=Now())
    if not renewed:
        Instance.objects.create(name=name, part=part, host=host[:255], marks=dict(marks))
    mine = Instance.objects.get(name=name)
    Instance.objects.filter(seen_at__lt=Now() - KEPT).delete()
    alive = Instance.objects.filter(pk__lt=mine.pk, seen_at__gt=Now() - ALIVE)
    return list(alive.filter(seen_at__gt=mine.started_at))
