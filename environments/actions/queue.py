"""The queue of jobs: messages to the workers, and which job a worker gets.

A message only says that there may be work; the rows say what there is.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, Subquery
from django.utils import timezone

from accounts.models import Project
from environments import metric_families as metrics
from environments.actions import slots, tallies
from environments.models import Environment, Job
from environments.states import JobKind, JobStatus, Kind

logger = logging.getLogger(__name__)

TASKS = {
    JobKind.TRAINING: "workers.train",
    JobKind.EVALUATION: "workers.evaluate",
    JobKind.FETCH: "workers.fetch",
    JobKind.CHECK: "workers.check",
}

# These keep the Rasa server of a training environment busy, where one runs them: of each as many as it has replicas.
BY_RASA = (JobKind.TRAINING, JobKind.EVALUATION, JobKind.CHECK)
# Of the whole installation.
MOST_AT_ONCE: dict[JobKind, Callable[[], int]] = {
    JobKind.TRAINING: lambda: settings.MAX_TRAININGS,
    JobKind.EVALUATION: lambda: settings.MAX_EVALUATIONS,
    JobKind.CHECK: lambda: settings.MAX_EVALUATIONS,
    JobKind.FETCH: lambda: settings.MAX_FETCHES,
}

# A message that has not left by then never will: its sender ended in between.
UNSENT_AFTER = timedelta(seconds=10)
# The message of a job that could run is taken for lost after this long.
LOST_AFTER = timedelta(seconds=20)

# A run is lost when it was not renewed for this long.
LEASE = timedelta(seconds=20)


def send(job: Job) -> bool:
    """Give the broker the job's id. A broker that is down loses nothing: the row stays queued and is sent again."""
    try:
        current_app.send_task(TASKS[JobKind(job.kind)], args=[job.pk], retry=False)
    except Exception:
        logger.exception("job %s could not be sent; it is sent again later", job.pk)
        return False
    Job.objects.filter(pk=job.pk).update(sent_at=timezone.now())
    return True


def wake(kind: JobKind) -> None:
    """A place has become free: have a worker look for the job that is next in turn."""
    for job in in_turn(kind)[:1]:
        send(job)


def send_lost() -> int:
    """Send jobs that could run now and whose message never left or was lost; how many. Sending twice runs once.

    Only the first of each project is sent, so that a long queue does not fill the broker; each end sends the next one.
    """
    now = timezone.now()
    sent = 0
    for job in (job for kind in TASKS for job in in_turn(kind)):
        if _is_overdue(job, now):
            if not send(job):
                break
            sent += 1
    return sent


def _is_overdue(job: Job, now: datetime) -> bool:
    """A time that is yet to come was written by a clock that was wrong; it proves nothing."""
    at, patience = (job.sent_at, LOST_AFTER) if job.sent_at else (job.created_at, UNSENT_AFTER)
    return abs(now - at) > patience


# Whose turn it is


def trainers(projects: Collection[int]) -> dict[int, Environment]:
    """Whose Rasa server trains and tests, by the key of the project: its first training environment with a URL.

    None where a local Rasa does it: that keeps no server busy.
    """
    if settings.TRAINING_RUNTIME != "server":
        return {}
    rows = Environment.objects.active().filter(project__in=projects, kind=Kind.TRAINING).exclude(url="")
    found: dict[int, Environment] = {}
    for environment in rows.order_by("order", "name"):
        found.setdefault(environment.project_id, environment)
    return found


def in_turn(kind: JobKind) -> list[Job]:
    """The jobs of the kind that could run now, in the order in which they should: of each project the oldest, first
    of the project whose last turn is the longest ago. The cost does not grow with the queue."""
    waiting = _waiting_projects(kind)
    running = _running(kind)
    left = MOST_AT_ONCE[kind]() - sum(running.values())
    if not waiting or left <= 0:
        return []
    by_servers = kind in BY_RASA and settings.TRAINING_RUNTIME == "server"
    places = trainers(list(waiting)) if by_servers else {}
    free = [pk for project, pk in waiting.items() if _has_room(places.get(project), running)][:left]
    jobs = Job.objects.select_related("project", "bundle", "by", "token").in_bulk(free)
    for job in jobs.values():
        job.environment = places.get(job.project_id)
    return [jobs[pk] for pk in free if pk in jobs]


def _waiting_projects(kind: JobKind) -> dict[int, int]:
    """The key of the oldest queued job by that of its project, in the order of their turns."""
    alike = Job.objects.filter(project=OuterRef("pk"), kind=kind)
    oldest = alike.filter(status=JobStatus.QUEUED).order_by("pk").values("pk")[:1]
    last_turn = alike.filter(started_at__isnull=False).order_by("-started_at").values("started_at")[:1]
    projects = Project.objects.annotate(oldest=Subquery(oldest), last_turn=Subquery(last_turn)).exclude(oldest=None)
    return dict(projects.order_by(F("last_turn").asc(nulls_first=True), "oldest").values_list("pk", "oldest"))


def _running(kind: JobKind) -> Counter[int | None]:
    """How many run, by the key of the environment whose server they keep busy."""
    rows = Job.objects.filter(kind=kind, status=JobStatus.RUNNING).values_list("environment", flat=True)
    return Counter(rows.order_by())


def _has_room(environment: Environment | None, running: Counter[int | None]) -> bool:
    """A project without a training environment finds out from its job."""
    return environment is None or running[environment.pk] < environment.replicas


def claim(job_id: int, *, worker: str) -> Job | None:
    """The job that is next in turn, of the kind of the one that a message named, in a run at `worker`, which must renew
    its lease; None if none of them can run now."""
    kind = Job.objects.filter(pk=job_id).values_list("kind", flat=True).first()
    # Most messages of a long queue find nothing, and need no lock for that.
    return _claim(JobKind(kind), worker) if kind and in_turn(JobKind(kind)) else None


@transaction.atomic
def _claim(kind: JobKind, worker: str) -> Job | None:
    slots.lock(f"claim-{kind}")
    for job in in_turn(kind):
        now = timezone.now()
        run = {"status": JobStatus.RUNNING, "attempts": job.attempts + 1, "started_at": now}
        run |= {"lease_until": now + LEASE, "worker": worker[:200], "step": "", "environment": job.environment}
        run |= {"runtime": settings.TRAINING_RUNTIME if kind in BY_RASA else ""}
        if Job.objects.filter(pk=job.pk, status=JobStatus.QUEUED, attempts=job.attempts).update(**run):
            for field, value in run.items():
                setattr(job, field, value)
            _tally_started(job, now)
            return job
    return None


def _tally_started(job: Job, now: datetime) -> None:
    tallies.count(metrics.JOBS_STARTED, job.project_id, job.kind)
    if job.attempts == 1:
        tallies.observe(metrics.JOB_WAIT, job.project_id, job.kind, (now - job.created_at).total_seconds())
