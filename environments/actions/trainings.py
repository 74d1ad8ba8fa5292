"""Trainings: what one may be given, and its job."""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction

from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import InvalidFields
from environments import bundles, errors, names, permissions
from environments.actions import bundles as bundle_actions
from environments.actions import jobs, queue, trained_models
from environments.actions import tags as tag_actions
from environments.models import Bundle, Environment, Job
from environments.states import JobKind

MAX_TAGS = 20
MAX_CONFIG = 1024**2


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
    bundle = bundle or bundle_actions.newest(project)
    bundle_actions.hold(bundle)
    check_can_be_run(project)
    _check_config(config)
    tags = _checked_tags(project, tags, by)
    _reserve(project, model_name)
    return jobs.enqueue(
        project=project,
        kind=JobKind.TRAINING,
        by=by,
        bundle=bundle,
        config=config,
        model_name=model_name,
        tags=tags,
    )


def check_can_be_run(project: Project) -> None:
    """Refuse what nothing could run: a local Rasa trains for every project, a Rasa server for its own."""
    if settings.TRAINING_RUNTIME == "server":
        training_environment(project)


def submit_again(*, job: Job, by: Actor) -> Job:
    """A training like the one that has ended. A name that its model has, or has had, is not used twice."""
    free = job.model_name and not trained_models.name_conflict(project=job.project, name=job.model_name)
    return submit(
        project=job.project,
        by=by,
        bundle=job.bundle,
        config=job.config,
        model_name=job.model_name if free else "",
        tags=job.tags,
    )


def training_environment(project: Project) -> Environment:
    """The environment whose Rasa server trains: the first of kind training that has a URL."""
    environment = queue.trainers([project.pk]).get(project.pk)
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
