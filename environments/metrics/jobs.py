"""Metrics of jobs: what waits and runs, and what became of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min
from prometheus_client.metrics_core import Metric

from accounts.models import Project
from environments import metric_families as families
from environments.actions import queue
from environments.metrics.counts import Counts
from environments.metrics.samples import counter, gauge, histogram
from environments.models import Job
from environments.states import ACTIVE_JOBS, JobKind, JobStatus

ENDS = tuple(status for status in JobStatus if status not in ACTIVE_JOBS)
ACTIVE = tuple(status for status in JobStatus if status in ACTIVE_JOBS)


# By the labels of each project and kind: where its counts are.
Shown = dict[tuple[str, str], tuple[int, str]]


@dataclass(frozen=True)
class Work:
    """A project, and the kinds of its jobs that may be read."""

    project: Project
    kinds: Sequence[JobKind]


def measure(works: Sequence[Work], counts: Counts, now: datetime) -> Iterator[Metric]:
    shown: Shown = {
        (work.project.name, kind.value): (work.project.pk, kind.value) for work in works for kind in work.kinds
    }
    yield from _present(shown, now)
    started, finished = families.JOBS_STARTED, families.JOBS_FINISHED
    yield counter(started, ((labels, counts.one(started, *key)) for labels, key in shown.items()))
    ends = (((*labels, end.value), counts.one(finished, *key, end)) for labels, key in shown.items() for end in ENDS)
    yield counter(finished, ends)
    for family in (families.JOB_WAIT, families.JOB_DURATION):
        yield histogram(family, [(labels, counts.all(family, *key)) for labels, key in shown.items()])


def _present(shown: Shown, now: datetime) -> Iterator[Metric]:
    """The queue. As large as what waits and runs, however long history is."""
    active = Job.objects.filter(status__in=ACTIVE).order_by().values("project", "kind", "status")
    rows = {
        ((row["project"], row["kind"]), row["status"]): row
        for row in active.annotate(number=Count("pk"), oldest=Min("created_at"))
    }
    numbers = (
        ((*labels, status.value), float(rows[key, status]["number"]) if (key, status) in rows else 0.0)
        for labels, key in shown.items()
        for status in ACTIVE
    )
    yield gauge(families.JOBS, numbers)
    oldest = {key: row["oldest"] for (key, status), row in rows.items() if status == JobStatus.QUEUED}
    waited = (
        (labels, max(0.0, (now - oldest[key]).total_seconds()) if key in oldest else 0.0)
        for labels, key in shown.items()
    )
    yield gauge(families.JOBS_OLDEST, waited)
    startable = {
        (job.project_id, job.kind) for kind in {kind for _, kind in oldest} for job in queue.in_turn(JobKind(kind))
    }
    yield gauge(families.JOBS_STARTABLE, ((labels, float(key in startable)) for labels, key in shown.items()))
