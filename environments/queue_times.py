"""How long a queued job will wait: its position, and what the last jobs like it took. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from accounts.models import Project
from environments.models import Environment, Job
from environments.states import JobKind, JobStatus, Kind

# The median of so many tells how long one takes.
LAST = 10
# More of one page than these are not told apart.
MOST = 1000


@dataclass(frozen=True)
class Wait:
    """`position` is 1 for the job of its project and kind that is next; `seconds` until it starts, None where nothing
    like it has succeeded yet."""

    position: int
    seconds: float | None


def expected(position: int, free_in: list[float], each: float) -> float:
    """Seconds until the job at `position` starts: places are free in so many seconds, and each job takes `each`."""
    ahead = position - 1
    return sorted(free_in)[ahead % len(free_in)] + ahead // len(free_in) * each


def of(job: Job) -> Wait | None:
    """None unless it is queued."""
    return of_all([job]).get(job.pk)


def of_all(jobs: Iterable[Job]) -> dict[int, Wait]:
    """By the key of the job: of those that are queued. They are jobs of one project."""
    found: dict[int, Wait] = {}
    queued = [job for job in jobs if job.status == JobStatus.QUEUED]
    for kind in {job.kind for job in queued}:
        alike = [job for job in queued if job.kind == kind]
        found |= _waits(alike[0].project, JobKind(kind), [job.pk for job in alike])
    return found


def _waits(project: Project, kind: JobKind, keys: list[int]) -> dict[int, Wait]:
    alike = Job.objects.filter(project=project, kind=kind)
    queued = alike.filter(status=JobStatus.QUEUED)
    # As a condition of the count, not of the rows: SQLite would read the rows themselves, and not the queue's index.
    ahead = queued.order_by().aggregate(ahead=Count("pk", filter=Q(pk__lt=min(keys))))["ahead"]
    between = queued.filter(pk__gte=min(keys), pk__lte=max(keys)).order_by("pk").values_list("pk", flat=True)
    positions = {key: number for number, key in enumerate(between[:MOST], start=ahead + 1)}
    each = _lasts(alike)
    free_in = _free_in(alike, _places(project, kind), each or 0, timezone.now())
    return {
        key: Wait(positions[key], None if each is None else expected(positions[key], free_in, each))
        for key in keys
        if key in positions
    }


def _lasts(alike: QuerySet[Job]) -> float | None:
    """Seconds that one takes."""
    last = alike.filter(status=JobStatus.SUCCEEDED, started_at__isnull=False).order_by("-started_at")[:LAST]
    seconds = [job.seconds for job in last if job.seconds is not None]
    return median(seconds) if seconds else None


def _places(project: Project, kind: JobKind) -> int:
    if settings.TRAINING_RUNTIME != "server" or kind == JobKind.FETCH:
        limits = {JobKind.TRAINING: settings.MAX_TRAININGS, JobKind.FETCH: settings.MAX_FETCHES}
        return int(limits.get(kind, settings.MAX_EVALUATIONS))
    trainers = Environment.objects.active().filter(project=project, kind=Kind.TRAINING).exclude(url="")
    return trainers.order_by("order", "name").values_list("replicas", flat=True).first() or 1


def _free_in(alike: QuerySet[Job], places: int, each: float, now: datetime) -> list[float]:
    """Seconds until each place is free."""
    started = alike.filter(status=JobStatus.RUNNING).order_by().values_list("started_at", flat=True)
    running = [max(0.0, each - (now - at).total_seconds()) for at in started if at is not None]
    return (running + [0.0] * places)[: max(places, 1)]
