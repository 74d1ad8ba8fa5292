"""Tags: put one on a model, take it away. Named like an environment it is a promotion, wherever it comes from."""

from django.db import transaction

from accounts.actions import audit
from accounts.actor import RASA_X, Actor
from accounts.models import Project
from accounts.problems import NotFound
from environments import errors, names, permissions
from environments.actions import promotions, trained_models
from environments.actions.promotions import Outcome
from environments.models import Environment, Tag, TrainedModel
from environments.states import RasaXWrites


def environment_of(project: Project, tag: str) -> Environment | None:
    """The environment, active or retired, whose name `tag` is; None for a free tag."""
    if not names.LABEL.fullmatch(tag):
        return None  # No environment has such a name, and not every database can be asked for it.
    environments = Environment.objects.select_related("project", "follows").filter(project=project)
    environment = environments.filter(name=names.canonical_tag(tag)).first()
    if environment is None and tag == names.ACTIVE:
        raise NotFound("There is no environment production, which active is another name of.")
    return environment


def check_can_put(*, project: Project, tag: str, by: Actor) -> None:
    """Refuse what `put` would refuse for any model."""
    environment = environment_of(project, tag)
    if environment is None:
        permissions.check_can_write_models(by, project)
        names.check_label(tag, "tag")
        return
    refusal = promotions.refusal(environment=environment, model=None, by=by)
    if refusal is not None:
        raise refusal
    _check_door(environment, by)


def _check_door(environment: Environment, by: Actor) -> None:
    if by.via == RASA_X and environment.rasa_x_writes == RasaXWrites.REFUSE:
        raise errors.RasaXWritesRefused(
            f"{environment.name} takes no promotions through this route. "
            f"Use POST /api/v1/environments/{environment.name}/promotions/.",
            route=f"/api/v1/environments/{environment.name}/promotions/",
        )


def _owner_of(project: Project, tag: str, by: Actor) -> Environment | None:
    """The environment whose tag it is, after the checks. Of a free tag none becomes one until the transaction ends."""
    check_can_put(project=project, tag=tag, by=by)
    environment = environment_of(project, tag)
    if environment is not None:
        return environment
    trained_models.lock_names(project)
    # One may have been defined before the lock was had, or a grant taken.
    check_can_put(project=project, tag=tag, by=by.anew())
    return environment_of(project, tag)


@transaction.atomic
def put(*, project: Project, tag: str, model: TrainedModel, by: Actor, reason: str = "") -> Outcome | None:
    """Make `tag` point to `model`; what it pointed to loses it. The outcome where it was a promotion."""
    environment = _owner_of(project, tag, by)
    if environment is not None:
        return promotions.promote(environment=environment, model=model, by=by, reason=reason)
    _put_free(project, tag, model, by)
    return None


def _put_free(project: Project, tag: str, model: TrainedModel, by: Actor) -> None:
    locked = TrainedModel.objects.select_for_update(no_key=True).get(pk=model.pk)
    if locked.deleted_at:
        raise errors.ModelGone(f"{locked.name} was deleted. Upload the same archive again to tag it.")
    before = Tag.objects.filter(project=project, name=tag).select_related("model").first()
    if before is not None and before.model_id == locked.pk:
        return
    Tag.objects.update_or_create(project=project, name=tag, defaults={"model": locked})
    _audit("tag.put", project, tag, by, before.model if before else None, locked)


@transaction.atomic
def remove(*, project: Project, tag: str, by: Actor, model: TrainedModel | None = None) -> Outcome | None:
    """Take `tag` away from the model that has it (from `model` only, where one is named): of an environment, a
    promotion to nothing. Raises `NotFound` where there is nothing to take."""
    environment = _owner_of(project, tag, by)
    name = environment.name if environment else tag
    held = Tag.objects.select_related("model").filter(project=project, name=name).first()
    if held is None or (model is not None and held.model_id != model.pk):
        raise NotFound(f"{model.name if model else 'No model'} does not carry the tag {tag}.")
    if environment is not None:
        expected = promotions.UNSPECIFIED if model is None else model.name
        return promotions.promote(environment=environment, model=None, by=by, expected=expected)
    held.delete()
    _audit("tag.remove", project, tag, by, held.model, None)
    return None


def _audit(
    action: str, project: Project, tag: str, by: Actor, before: TrainedModel | None, after: TrainedModel | None
) -> None:
    audit.record(
        by=by,
        action=action,
        object=f"tag:{tag}",
        project=project,
        before={"model": before.name if before else None},
        after={"model": after.name if after else None},
    )
