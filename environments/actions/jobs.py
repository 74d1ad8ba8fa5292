"""Jobs as rows: submit, claim, tell how far it is, finish. The row is the truth; the broker carries its id.

Every move is a conditional update, so that of several observers one wins and the others change nothing.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import JOB, Actor
from accounts.models import Project
from accounts.problems import InternalError, InvalidFields, Problem
from environments import bundles, errors, names, permissions
from environments.actions import slots, trained_models
from environments.actions import tags as tag_actions
from environments.models import Bundle, Environment, Job, TrainedModel
from environments.models.job import JobQuerySet
from environments.states import JobKind, JobStatus, Kind

logger = logging.getLogger(__name__)

TASKS = {JobKind.TRAINING: "workers.train"}
MAX_TAGS = 20
MAX_CONFIG = 1024**2

# A message that has not left by then never will: its sender ended in between.
UNSENT_AFTER = timedelta(seconds=10)
# The message of the oldest queued job is taken for lost after this long: while no job runs nothing can be ahead of it.
LOST_AFTER = timedelta(seconds=20)
LOST_AFTER_WHILE_BUSY = timedelta(minutes=5)

# A run is lost when it was not renewed for this long.
LEASE = timedelta(seconds=20)
MAX_ATTEMPTS = 3
LOOK_FOR_LOST_EVERY = timedelta(seconds=5)
# Nobody looked for so long: the database was away, or all of the control plane, and nobody could renew either.
OUTAGE = timedelta(seconds=10)

# Refusals that are no fault of who submitted, whatever their status says elsewhere.
OURS = (errors.ArchiveRefused, errors.NoTrainingEnvironment)


# Submit


@transaction.atomic
def submit(
    *,
    project: Project,
    by: Actor,
    bundle: Bundle | None = None,
    config: str = "",
    model_name: str = "",
    tags: Sequence[str] = (),
) -> Job:
    """A training of `bundle` (None: the newest), sent to a worker after the commit.

    `config` is used in place of the bundle's own config.yml. `model_name` is reserved until the job ends; "" takes
    Rasa's own name for the model. `tags` are put on the model at the end, held to the permission of putting each by
    hand: now, and then again.
    """
    permissions.check_can_train(by, project)
    if by.user is None:
        raise errors.SubmitterGone("A training needs a user whose permissions it runs with. Name one.")
    bundle = bundle or newest_bundle(project)
    training_environment(project)
    _check_config(config)
    tags = _checked_tags(project, tags, by)
    _reserve(project, model_name)
    try:
        with transaction.atomic():
            job = Job.objects.create(
                project=project,
                kind=JobKind.TRAINING,
                by=by.user,
                by_name=by.name,
                bundle=bundle,
                config=config,
                model_name=model_name,
                tags=tags,
            )
    except IntegrityError as error:
        # Somebody reserved it between the look and the insert.
        raise errors.NameReserved(
            f"The name {model_name} is reserved by another job. Choose another name, or wait for that job.",
            name=model_name,
        ) from error
    after: dict[str, Any] = {"kind": job.kind, "bundle": bundle.hash, "model_name": model_name, "tags": tags}
    audit.record(by=by, action="job.submit", object=f"job:{job.pk}", project=project, after=after)
    transaction.on_commit(partial(send, job))
    return job


def newest_bundle(project: Project) -> Bundle:
    bundle = Bundle.objects.filter(project=project).order_by("-pk").first()
    if bundle is None:
        raise errors.NoBundle(
            f"Project {project.name} has no bundle. Send one: POST /api/v1/bundles/ with a zip of the Rasa project."
        )
    return bundle


def training_environment(project: Project) -> Environment:
    """The environment whose Rasa server trains: the first of kind training that has a URL."""
    trainers = Environment.objects.active().filter(project=project, kind=Kind.TRAINING).exclude(url="")
    environment = trainers.order_by("order", "name").first()
    if environment is None:
        raise errors.NoTrainingEnvironment(
            f"Project {project.name} has no environment of kind training with a URL. Declare worker in "
            "environments.yml."
        )
    return environment


def _check_config(config: str) -> None:
    if len(config) > MAX_CONFIG:
        raise InvalidFields("config is too long.", errors={"config": [f"At most {MAX_CONFIG} characters."]})
    if config:
        bundles.parse_config(config)


def _checked_tags(project: Project, tags: Sequence[str], by: Actor) -> list[str]:
    distinct = list(dict.fromkeys(tags))
    if len(distinct) > MAX_TAGS:
        raise InvalidFields("There are too many tags.", errors={"tags": [f"At most {MAX_TAGS}."]})
    for tag in distinct:
        tag_actions.check_can_put(project=project, tag=tag, by=by)
    return distinct


def _reserve(project: Project, model_name: str) -> None:
    if not model_name:
        return
    names.check_model_name(model_name, field="model_name")
    trained_models.lock_names(project)
    conflict = trained_models.name_conflict(project=project, name=model_name)
    if conflict:
        raise conflict


# Send


def send(job: Job) -> bool:
    """Give the broker the job's id. A broker that is down loses nothing: the row stays queued and is sent again."""
    try:
        current_app.send_task(TASKS[JobKind(job.kind)], args=[job.pk], retry=False)
    except Exception:
        logger.exception("job %s could not be sent; it is sent again later", job.pk)
        return False
    Job.objects.filter(pk=job.pk).update(sent_at=timezone.now())
    return True


def send_lost() -> int:
    """Send queued jobs whose message never left or was lost; how many. Sending twice runs once.

    Of those that were sent only the oldest of each kind is sent again, so that a long queue does not fill the broker.
    """
    now = timezone.now()
    unsent = Job.objects.filter(status=JobStatus.QUEUED, sent_at=None, created_at__lt=now - UNSENT_AFTER)
    overdue = (_overdue(kind, now) for kind in TASKS)
    sent = 0
    for job in [*unsent.order_by("pk"), *filter(None, overdue)]:
        if not send(job):
            break
        sent += 1
    return sent


def _overdue(kind: JobKind, now: datetime) -> Job | None:
    """The oldest queued job of the kind, if its message should have reached a worker long ago."""
    alike = Job.objects.filter(kind=kind)
    busy = alike.filter(status=JobStatus.RUNNING).exists()
    oldest = alike.filter(status=JobStatus.QUEUED).exclude(sent_at=None).order_by("pk").first()
    sent_before = now - (LOST_AFTER_WHILE_BUSY if busy else LOST_AFTER)
    return oldest if oldest and oldest.sent_at and oldest.sent_at < sent_before else None


# Run


class RunLost(Exception):
    """This run of the job is over, whatever it still does: it was taken for lost, or ended by somebody else."""


def claim(job_id: int, *, worker: str) -> Job | None:
    """The job in a run at `worker`, which must renew its lease; None if it is not queued: taken, cancelled, or gone."""
    queued = Job.objects.filter(pk=job_id, status=JobStatus.QUEUED)
    job = queued.select_related("project", "bundle", "by").first()
    if job is None:
        return None
    now = timezone.now()
    run = {"status": JobStatus.RUNNING, "attempts": job.attempts + 1, "started_at": now, "lease_until": now + LEASE}
    run |= {"worker": worker[:200], "step": ""}
    if not queued.filter(attempts=job.attempts).update(**run):
        return None
    for field, value in run.items():
        setattr(job, field, value)
    return job


def _held(job: Job) -> JobQuerySet:
    """The row of the job, as long as it is in this very run."""
    return Job.objects.filter(pk=job.pk, status=JobStatus.RUNNING, attempts=job.attempts)


def renew(*, job: Job) -> bool:
    """Say that the run goes on; False if it is lost."""
    return bool(_held(job).update(lease_until=timezone.now() + LEASE))


def actor(job: Job) -> Actor:
    """Who the job acts as: its submitter with what that user may do now, never more."""
    if job.by is None:
        raise errors.SubmitterGone(f"{job.by_name}, who submitted the job, is gone. Submit it again.")
    return Actor(user=job.by, via=JOB)


def note(*, job: Job, step: str, progress: float | None = None) -> None:
    """What the job is at, for whoever watches. Raises `RunLost`."""
    if not _held(job).update(step=step[:200], progress=progress):
        raise RunLost


def succeed(*, job: Job, model: TrainedModel) -> None:
    """End the job in the transaction that registers its model: both happen, or neither. Raises `RunLost`."""
    if not _finish(job, JobStatus.SUCCEEDED, result=model, progress=1.0, step=""):
        raise RunLost


def stop(*, job: Job, problem: Problem) -> bool:
    """End a job that did not succeed: `failed` where the submitter can cure it, `errored` where only we can."""
    is_ours = problem.status >= 500 or isinstance(problem, OURS)
    status = JobStatus.ERRORED if is_ours else JobStatus.FAILED
    return _finish(job, status, error_code=problem.code, error_detail=problem.detail)


def crash(*, job: Job) -> bool:
    """End a job that met a fault of ours; the log has the details."""
    return stop(job=job, problem=InternalError("The control plane made a mistake; its log has the details."))


def _finish(job: Job, status: JobStatus, **fields: Any) -> bool:
    return bool(_held(job).update(status=status, finished_at=timezone.now(), **fields))


# Lost runs


def look_for_lost(now: datetime) -> int:
    """Take back lost runs, if it is time to look again; how many they were. Needs no broker."""
    due_at = slots.claim("look-for-lost-jobs", now=now, next_at=now + LOOK_FOR_LOST_EVERY)
    if due_at is None:
        return 0
    running = Job.objects.filter(status=JobStatus.RUNNING)
    if now - due_at > OUTAGE:
        running.filter(lease_until__lt=now + LEASE).update(lease_until=now + LEASE)
    return sum(_take_back(job, now) for job in running.filter(lease_until__lt=now))


def _take_back(job: Job, now: datetime) -> bool:
    """Queue a job whose run was lost again, or end it where this happened too often. Its next run is another one."""
    lost = _held(job).filter(lease_until__lt=now)
    if job.attempts < MAX_ATTEMPTS:
        logger.warning("job %s was lost by its worker %s; it is queued again", job.pk, job.worker)
        waiting = {"started_at": None, "sent_at": None, "lease_until": None, "progress": None}
        return bool(lost.update(status=JobStatus.QUEUED, step="queued again: its worker was lost", **waiting))
    problem = errors.WorkerLost(
        f"The worker ended or fell silent in each of {job.attempts} runs, the last at {job.worker}. See its log, and "
        "whether its machine had enough memory; then submit the job again."
    )
    logger.error("job %s is given up: %s", job.pk, problem.detail)
    end = {"error_code": problem.code, "error_detail": problem.detail}
    return bool(lost.update(status=JobStatus.ERRORED, finished_at=now, **end))
