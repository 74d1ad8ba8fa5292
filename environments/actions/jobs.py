"""Jobs as rows: submit, claim, tell how far it is, finish. The row is the truth; the broker carries its id.

Every move is a conditional update, so that of several observers one wins and the others change nothing.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import JOB, Actor
from accounts.models import Project
from accounts.problems import InternalError, InvalidFields, Problem
from environments import bundles, errors, names, permissions
from environments.actions import tags as tag_actions
from environments.actions import trained_models
from environments.models import Bundle, Environment, Job, TrainedModel
from environments.states import JOB_MOVES, JobKind, JobStatus, Kind, sources

logger = logging.getLogger(__name__)

TASKS = {JobKind.TRAINING: "workers.train"}
MAX_TAGS = 20
MAX_CONFIG = 1024**2

# A message is taken for lost after this long: at once if it never left, late if it may still be waiting its turn.
UNSENT_AFTER = timedelta(seconds=10)
LOST_AFTER = timedelta(minutes=5)

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
    """Send queued jobs whose message never left or must be taken for lost; how many. Sending twice runs once."""
    now = timezone.now()
    unsent = Q(sent_at=None, created_at__lt=now - UNSENT_AFTER)
    lost = Q(sent_at__lt=now - LOST_AFTER)
    return sum(send(job) for job in Job.objects.filter(unsent | lost, status=JobStatus.QUEUED).order_by("pk"))


# Run


def claim(job_id: int, *, worker: str) -> Job | None:
    """The job, now running at `worker`; None if it is not queued: taken already, cancelled, or gone."""
    queued = Job.objects.filter(pk=job_id, status=JobStatus.QUEUED)
    if not queued.update(status=JobStatus.RUNNING, started_at=timezone.now(), worker=worker[:200]):
        return None
    return Job.objects.select_related("project", "bundle", "by").get(pk=job_id)


def actor(job: Job) -> Actor:
    """Who the job acts as: its submitter with what that user may do now, never more."""
    if job.by is None:
        raise errors.SubmitterGone(f"{job.by_name}, who submitted the job, is gone. Submit it again.")
    return Actor(user=job.by, via=JOB)


def note(*, job: Job, step: str, progress: float | None = None) -> None:
    """What the job is at, for whoever watches."""
    Job.objects.filter(pk=job.pk, status=JobStatus.RUNNING).update(step=step[:200], progress=progress)


def succeed(*, job: Job, model: TrainedModel) -> bool:
    return _finish(job, JobStatus.SUCCEEDED, result=model, progress=1.0, step="")


def stop(*, job: Job, problem: Problem) -> bool:
    """End a job that did not succeed: `failed` where the submitter can cure it, `errored` where only we can."""
    is_ours = problem.status >= 500 or isinstance(problem, OURS)
    status = JobStatus.ERRORED if is_ours else JobStatus.FAILED
    return _finish(job, status, error_code=problem.code, error_detail=problem.detail)


def crash(*, job: Job) -> bool:
    """End a job that met a fault of ours; the log has the details."""
    return stop(job=job, problem=InternalError("The control plane made a mistake; its log has the details."))


def _finish(job: Job, status: JobStatus, **fields: Any) -> bool:
    unfinished = Job.objects.filter(pk=job.pk, status__in=sources(JOB_MOVES, status))
    return bool(unfinished.update(status=status, finished_at=timezone.now(), **fields))
