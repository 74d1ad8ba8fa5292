"""Jobs as rows: put one into the queue, claim it, tell how far it is, end it. The row is the truth; the broker carries
its id.

Every move is a conditional update, so that of several observers one wins and the others change nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import JOB, Actor
from accounts.models import Project
from accounts.problems import InternalError, Problem
from environments import errors, permissions
from environments import metric_families as metrics
from environments.actions import after_commit, announcements, pipeline_wakes, queue, slots, tallies
from environments.actions.queue import LEASE
from environments.models import Bundle, Job, TrainedModel
from environments.models.job import JobQuerySet
from environments.states import ACTIVE_JOBS, JobKind, JobStatus

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
LOOK_FOR_LOST_EVERY = timedelta(seconds=5)
# Nobody looked for so long: the database was away, or all of the control plane, and nobody could renew either.
OUTAGE = timedelta(seconds=10)

# How a sentence goes on that says how a job ended.
ENDS = {
    JobStatus.SUCCEEDED: "succeeded",
    JobStatus.FAILED: "failed",
    JobStatus.ERRORED: "met an error",
    JobStatus.CANCELLED: "was cancelled",
}

# Refusals that are no fault of who submitted, whatever their status says elsewhere.
OURS = (errors.ArchiveRefused, errors.NoTrainingEnvironment)


# Submit


@transaction.atomic
def enqueue(
    *,
    project: Project,
    kind: JobKind,
    by: Actor,
    bundle: Bundle | None = None,
    config: str = "",
    model_name: str = "",
    tags: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Job:
    """A job of the kind, sent to a worker after the commit. The caller has checked who may, and what the job is given.

    `model_name` is reserved until the job ends; raises `NameReserved` where another job has it.
    """
    if by.user is None:
        raise errors.SubmitterGone("A job needs a user whose permissions it runs with. Name one.")
    try:
        with transaction.atomic():
            job = Job.objects.create(
                project=project,
                kind=kind,
                by=by.user,
                by_name=by.name,
                token=by.token,
                bundle=bundle,
                config=config,
                model_name=model_name,
                tags=list(tags),
                options=dict(options or {}),
            )
    except IntegrityError as error:
        # Somebody reserved it between the look and the insert.
        raise errors.NameReserved(
            f"The name {model_name} is reserved by another job. Choose another name, or wait for that job.",
            name=model_name,
        ) from error
    after: dict[str, Any] = {"kind": job.kind, "bundle": bundle and bundle.hash, "model_name": model_name}
    after |= {"tags": job.tags, "options": job.options}
    audit.record(by=by, action="job.submit", object=f"job:{job.pk}", project=project, after=after)
    after_commit.call(queue.send, job)
    return job


# Run


class RunLost(Exception):
    """This run of the job is over, whatever it still does: it was taken for lost, or ended by somebody else."""


class Cancelled(Exception):
    """Somebody asked for this run to stop."""


def _in_this_run(job: Job) -> JobQuerySet:
    """The row of the job, as long as it is in this very run."""
    return Job.objects.filter(pk=job.pk, status=JobStatus.RUNNING, attempts=job.attempts)


def _held(job: Job) -> JobQuerySet:
    """The same, unless the run is to stop."""
    return _in_this_run(job).filter(cancel_asked_at=None)


def renew(*, job: Job) -> None:
    """Say that the run goes on. Raises `RunLost`, or `Cancelled` if it is to stop."""
    if not _held(job).update(lease_until=timezone.now() + LEASE):
        raise over(job)


def over(job: Job) -> RunLost | Cancelled:
    """Why the run is over."""
    asked = _in_this_run(job).exclude(cancel_asked_at=None).exists()
    return Cancelled() if asked else RunLost()


def actor(job: Job) -> Actor:
    """Who the job acts as: its submitter with what that user may do now, never more, and not more than the API token
    that submitted it. Raises `Unauthorized` if that token was revoked; one that only expired was good in time."""
    if job.by is None:
        raise errors.SubmitterGone(f"{job.by_name}, who submitted the job, is gone. Submit it again.")
    return Actor(user=job.by, via=JOB, token=job.token).anew()


def note(*, job: Job, step: str, progress: float | None = None) -> None:
    """What the job is at, for whoever watches. Raises `RunLost` or `Cancelled`."""
    if not _held(job).update(step=step[:200], progress=progress):
        raise over(job)


# End


def succeed(*, job: Job, model: TrainedModel | None = None, bundle: Bundle | None = None) -> None:
    """End the job in the transaction that records what it made: both happen, or neither. Raises `RunLost` or
    `Cancelled`. `bundle` is the one that it brought, where it is of that kind."""
    if not _end(_held(job), JobStatus.SUCCEEDED, result=model, bundle=bundle or job.bundle, progress=1.0, step=""):
        raise over(job)


def succeed_if_running(*, job: Job) -> None:
    """End the job well, unless its work did so. Raises as `succeed` does."""
    if _in_this_run(job).exists():
        succeed(job=job)


def stop(*, job: Job, problem: Problem) -> bool:
    """End a job that did not succeed: `failed` where the submitter can cure it, `errored` where only we can."""
    is_ours = problem.status >= 500 or isinstance(problem, OURS)
    status = JobStatus.ERRORED if is_ours else JobStatus.FAILED
    return _end(_in_this_run(job), status, error_code=problem.code, error_detail=problem.detail)


def crash(*, job: Job) -> bool:
    """End a job that met a fault of ours; the log has the details."""
    return stop(job=job, problem=InternalError("The control plane made a mistake; its log has the details."))


def end_cancelled(*, job: Job) -> bool:
    """End a run that was to stop and has stopped."""
    return _end(_in_this_run(job), JobStatus.CANCELLED, step="")


def _end(rows: JobQuerySet, status: JobStatus, **fields: Any) -> bool:
    """Every end of a job is here; False if it is none of `rows` any more."""
    with transaction.atomic():
        row = rows.select_for_update(of=("self",)).select_related("project").first()
        if row is None:
            return False
        ended = {"status": status, "finished_at": timezone.now(), **fields}
        for field, value in ended.items():
            setattr(row, field, value)
        row.save(update_fields=list(ended))
        _ended(row)
    return True


def _ended(job: Job) -> None:
    """What follows the end of any job, in its transaction."""
    logger.info("job %s: %s %s", job.pk, job.status, job.error_detail)
    announcements.job_ended(job)
    pipeline_wakes.job_ended(job)
    tallies.count(metrics.JOBS_FINISHED, job.project_id, job.kind, job.status)
    if job.status == JobStatus.SUCCEEDED and job.seconds is not None:
        tallies.observe(metrics.JOB_DURATION, job.project_id, job.kind, job.seconds)
    after_commit.call(queue.wake, JobKind(job.kind))


# Cancel


@transaction.atomic
def cancel(*, job: Job, by: Actor) -> Job:
    """End a queued job, and have a running one stop. Asking again changes nothing. Raises `JobEnded`."""
    permissions.check_can_cancel(by, job)
    row = Job.objects.select_for_update(of=("self",)).select_related("project").get(pk=job.pk)
    if row.status not in ACTIVE_JOBS:
        raise errors.JobEnded(f"Job {row.pk} has ended already: it {ENDS[JobStatus(row.status)]}.", ended=row.status)
    if row.cancel_asked_at is None:
        audit.record(
            by=by, action="job.cancel", object=f"job:{row.pk}", project=row.project, before={"status": row.status}
        )
        row.cancel_asked_at, row.cancelled_by_name = timezone.now(), by.name
        row.save(update_fields=["cancel_asked_at", "cancelled_by_name"])
        _end(Job.objects.filter(pk=row.pk, status=JobStatus.QUEUED), JobStatus.CANCELLED, step="")
        row.refresh_from_db(fields=["status", "finished_at", "step"])
    return row


# Lost runs


def look_for_lost(now: datetime) -> int:
    """Take back lost runs, if it is time to look again; how many they were. Needs no broker."""
    due_at = slots.claim("look-for-lost-jobs", now=now, next_at=now + LOOK_FOR_LOST_EVERY)
    if due_at is None:
        return 0
    running = Job.objects.filter(status=JobStatus.RUNNING)
    if now - due_at > OUTAGE:
        running.filter(lease_until__lt=now + LEASE).update(lease_until=now + LEASE)
    # A clock that was ahead gave it; waiting for its end would leave a lost job running for so long.
    running.filter(lease_until__gt=now + 2 * LEASE).update(lease_until=now + LEASE)
    return sum(_take_back(job, now) for job in running.filter(lease_until__lt=now))


def _take_back(job: Job, now: datetime) -> bool:
    """Queue a job whose run was lost again, or end it where this happened too often. Its next run is another one."""
    lost = _in_this_run(job).filter(lease_until__lt=now)
    if job.cancel_asked_at:
        return _end(lost, JobStatus.CANCELLED, step="")
    if job.attempts < MAX_ATTEMPTS:
        logger.warning("job %s was lost by its worker %s; it is queued again", job.pk, job.worker)
        waiting = {"started_at": None, "sent_at": None, "lease_until": None, "progress": None}
        return bool(lost.update(status=JobStatus.QUEUED, step="queued again: its worker was lost", **waiting))
    problem = errors.WorkerLost(
        f"The worker ended or fell silent in each of {job.attempts} runs, the last at {job.worker}. See its log, and "
        "whether its machine had enough memory; then submit the job again."
    )
    logger.error("job %s is given up: %s", job.pk, problem.detail)
    return _end(lost, JobStatus.ERRORED, error_code=problem.code, error_detail=problem.detail)
