"""The one way an environment's tag changes: promote, roll back, and settle what became of it.

History is a stack for rollback. A promotion that rolled back `restores` the one whose model it brought back, so its
*position* is that one; what lies *under* a position is the position of the promotion before it. Rolling back twice
goes back two, never forward to the bad one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.problems import NotFound, Problem
from environments import errors, permissions
from environments import metric_families as metrics
from environments.actions import announcements, tallies
from environments.models import Environment, Promotion, Proof, ServerCheck, Tag, TrainedModel
from environments.states import PROMOTION_MOVES, Origin, PromotionStatus, sources
from environments.versions import is_older


class Unspecified:
    """The caller said nothing about what it saw; `None` means it saw no model."""


UNSPECIFIED: Final = Unspecified()
Expected = str | None | Unspecified


@dataclass(frozen=True)
class Outcome:
    """`created` is False where the environment had the model already: nothing moved."""

    promotion: Promotion
    created: bool


def current_model(environment: Environment) -> TrainedModel | None:
    """The model that carries the environment's tag (that of the one it follows)."""
    owner = environment.tag_owner
    tags = Tag.objects.filter(project_id=owner.project_id, name=owner.name).select_related("model")
    tag = tags.defer("model__metadata").first()
    return tag.model if tag else None


def latest(environment: Environment) -> Promotion | None:
    """The newest promotion of the environment, whose model is the one that carries the tag."""
    return Promotion.objects.filter(environment=environment).told().order_by("-pk").first()


def check_expected(environment: Environment, expected: Expected) -> None:
    """Refuse if the environment's model is not the one the caller saw."""
    if isinstance(expected, Unspecified):
        return
    current = current_model(environment)
    current_name = current.name if current else None
    if current_name == expected:
        return
    newest = latest(environment)
    by, at = (newest.by_name, newest.created_at) if newest else ("nobody", None)
    who = f"promoted by {by} at {at:%Y-%m-%d %H:%M:%S} UTC" if at else "and nobody promoted yet"
    raise errors.StalePromotion(
        f"{environment.name} now has {current_name or 'no model'}, {who}; you saw {expected or 'no model'}. "
        "Look again, then repeat.",
        current=current_name,
        by=by,
        at=at.isoformat().replace("+00:00", "Z") if at else None,
    )


def _check_usable(environment: Environment, model: TrainedModel | None) -> None:
    if environment.follows:
        raise errors.FollowsAnother(
            f"{environment.name} serves what {environment.follows.name} serves. Promote to {environment.follows.name}.",
            follows=environment.follows.name,
        )
    if environment.retired_at:
        raise errors.EnvironmentRetired(f"{environment.name} is retired. Declare it again, then promote to it.")
    if environment.frozen_at:
        raise errors.EnvironmentFrozen(
            f"{environment.name} is frozen since the installation was restored. Decide first which model it is to "
            f"serve: on its page, or by manage.py resume {environment.name}.",
            frozen_at=environment.frozen_at.isoformat().replace("+00:00", "Z"),
        )
    if model and model.deleted_at:
        raise errors.ModelGone(f"{model.name} was deleted. Upload the same archive again to promote it.")
    if model and model.damaged_at:
        raise errors.ArchiveDamaged(f"The stored archive of {model.name} is damaged. Upload it again.")


def standing_refusal(*, environment: Environment, by: Actor) -> Problem | None:
    """Why `by` may promote no model at all to `environment` now, None if some; asks the database nothing."""
    try:
        permissions.check_can_promote(by, environment)
        _check_usable(environment, None)
    except Problem as problem:
        return problem
    return None


def _compatibility(environment: Environment, model: TrainedModel | None) -> tuple[errors.Incompatible | None, str]:
    """The refusal for the model's Rasa version if there is one, and what is to be noted otherwise.

    Going back to a model proved here before is never refused for what a server might say.
    """
    if model is None or Proof.objects.filter(environment=environment, model=model).exists():
        return None, ""
    check = ServerCheck.objects.filter(environment=environment).first()
    if check is None or not check.minimum_compatible_version:
        return None, "No server of the environment was ever reached: nothing is known of the versions it takes."
    if not is_older(model.version, check.minimum_compatible_version):
        return None, ""
    return errors.Incompatible(
        f"{model.name} was trained with Rasa {model.version}; the server of {environment.name} runs {check.version} "
        f"and takes {check.minimum_compatible_version} or newer. Train it again, or force it if you know better.",
        version=model.version,
        minimum_compatible_version=check.minimum_compatible_version,
    ), ""


def refusal(
    *,
    environment: Environment,
    model: TrainedModel | None,
    by: Actor,
    force: bool = False,
    expected: Expected = UNSPECIFIED,
) -> Problem | None:
    """Why promoting `model` now would be refused, None if it would not: what a disabled button shows."""
    try:
        permissions.check_can_promote(by, environment)
        if force:
            permissions.check_can_force(by, environment)
        _check_usable(environment, model)
        if latest(environment) and current_model(environment) == model:
            return None
        check_expected(environment, expected)
        refused, _ = _compatibility(environment, model)
    except Problem as problem:
        return problem
    return None if force else refused


@dataclass(frozen=True)
class Foreseen:
    """What a promotion would be, as an unsaved row (the present one where the model serves already), and why it
    would be refused."""

    promotion: Promotion
    refused: Problem | None


def foresee(
    *,
    environment: Environment,
    model: TrainedModel | None,
    by: Actor,
    reason: str = "",
    expected: Expected = UNSPECIFIED,
    force: bool = False,
) -> Foreseen:
    """The dry run of `promote`: changes nothing."""
    refused = refusal(environment=environment, model=model, by=by, force=force, expected=expected)
    current, newest = current_model(environment), latest(environment)
    if newest is not None and current == model:
        return Foreseen(newest, refused)
    against, note = _compatibility(environment, model)
    return Foreseen(_draft(environment, model, current, by, reason, against if force else None, note), refused)


def _draft(
    environment: Environment,
    model: TrainedModel | None,
    current: TrainedModel | None,
    by: Actor,
    reason: str,
    overridden: Problem | None,
    note: str,
) -> Promotion:
    """The promotion as a row that is not saved yet. `overridden` is the refusal that `force` passes over."""
    now = timezone.now()
    return Promotion(
        environment=environment,
        model=model,
        previous_model=current,
        status=PromotionStatus.ROLLING_OUT if model else PromotionStatus.SUCCEEDED,
        origin=Origin(by.via),
        by=by.user,
        by_name=by.name,
        reason=reason,
        forced=overridden is not None,
        note=overridden.detail if overridden else note,
        created_at=now,
        finished_at=None if model else now,
    )


def promote(
    *,
    environment: Environment,
    model: TrainedModel | None,
    by: Actor,
    reason: str = "",
    expected: Expected = UNSPECIFIED,
    force: bool = False,
) -> Outcome:
    """Make `environment` serve `model` (None: nothing): one transaction, one promotion, one audit event.

    `expected` is the name of the model the caller saw there (None: no model); another one now refuses with
    `StalePromotion`. Promoting what is already there moves nothing, whatever `expected` says. `force` overrides a
    refusal for the Rasa version and needs a grant of its own.
    """
    return _move(
        environment=environment, model=model, by=by, reason=reason, expected=expected, force=force, restores=None
    )


@transaction.atomic
def _move(
    *,
    environment: Environment,
    model: TrainedModel | None,
    by: Actor,
    reason: str,
    expected: Expected,
    force: bool,
    restores: Promotion | None,
) -> Outcome:
    locked = _lock(environment)
    by = by.anew()
    permissions.check_can_promote(by, locked)
    if force:
        permissions.check_can_force(by, locked)
    if model is not None:
        model = TrainedModel.objects.select_for_update(no_key=True).defer("metadata").get(pk=model.pk)
    _check_usable(locked, model)
    current = current_model(locked)
    newest = latest(locked) if current == model else None
    if newest is not None:
        return Outcome(newest, created=False)
    check_expected(locked, expected)
    refused, note = _compatibility(locked, model)
    if refused and not force:
        raise refused
    _move_tag(locked, model)
    promotion = _draft(locked, model, current, by, reason, refused, note)
    if restores:
        promotion.restores, promotion.origin = restores, Origin.ROLLBACK
    _supersede(locked, promotion.created_at)
    promotion.save()
    _tally_made(promotion)
    _audit(promotion, by)
    announcements.promotion_made(promotion)
    return Outcome(promotion, created=True)


def _lock(environment: Environment) -> Environment:
    """The environment, locked until the transaction ends (on SQLite the whole database is).

    What it follows is read once it is locked: PostgreSQL reads the row anew after it waited for the lock, but not the
    rows joined to it.
    """
    environments = Environment.objects.select_for_update(of=("self",)).select_related("project")
    return environments.get(pk=environment.pk)


def _move_tag(environment: Environment, model: TrainedModel | None) -> None:
    owned: dict[str, Any] = {"project_id": environment.project_id, "name": environment.name}
    if model is None:
        Tag.objects.filter(**owned).delete()
        return
    Tag.objects.update_or_create(**owned, defaults={"model": model})
    TrainedModel.objects.filter(pk=model.pk, promoted_at=None).update(promoted_at=timezone.now())


def _supersede(environment: Environment, now: datetime) -> None:
    moved_on = sources(PROMOTION_MOVES, PromotionStatus.SUPERSEDED)
    open_ones = Promotion.objects.filter(environment=environment, status__in=moved_on)
    passed_by = open_ones.update(status=PromotionStatus.SUPERSEDED, finished_at=now)
    outcome = (environment.project_id, environment.name, PromotionStatus.SUPERSEDED)
    tallies.count(metrics.PROMOTIONS_FINISHED, *outcome, times=passed_by)


def _tally_made(promotion: Promotion) -> None:
    place = (promotion.environment.project_id, promotion.environment.name)
    tallies.count(metrics.PROMOTIONS_STARTED, *place)
    if promotion.finished_at:
        tallies.count(metrics.PROMOTIONS_FINISHED, *place, promotion.status)


def _audit(promotion: Promotion, by: Actor) -> None:
    audit.record(
        by=by,
        action="environment.rollback" if promotion.restores_id else "environment.promote",
        object=f"environment:{promotion.environment.name}",
        project=promotion.environment.project,
        before={"model": promotion.previous_model.name if promotion.previous_model else None},
        after={
            "model": promotion.model.name if promotion.model else None,
            "promotion": promotion.pk,
            "reason": promotion.reason,
            "forced": promotion.forced,
        },
    )


# Going back


def _position(promotion: Promotion) -> Promotion:
    return promotion.restores or promotion


def _under(position: Promotion) -> Promotion | None:
    """What lies under a position in the stack; promotions to nothing are passed over."""
    before = Promotion.objects.select_related("restores", "model").before(position)
    while before is not None:
        below = _position(before)
        if below.model is not None:
            return below
        before = Promotion.objects.select_related("restores", "model").before(below)
    return None


def rollback_target(environment: Environment) -> Promotion:
    """The promotion whose model a rollback would bring back; refuses where there is none or its model is gone."""
    newest = (
        Promotion.objects.select_related("restores", "model").filter(environment=environment).order_by("-pk").first()
    )
    target = _under(_position(newest)) if newest else None
    if target is None or target.model is None:
        raise errors.NothingToGoBackTo(f"{environment.name} served no model before this one. Promote one instead.")
    if target.model.deleted_at:
        raise errors.ModelGone(
            f"{target.model.name}, which {environment.name} served before, was deleted. Choose an older promotion.",
            model=target.model.name,
        )
    return target


@transaction.atomic
def rollback(
    *,
    environment: Environment,
    by: Actor,
    to: Promotion | None = None,
    reason: str = "",
    expected: Expected = UNSPECIFIED,
) -> Outcome:
    """Bring back the model before the current one, or that of the promotion `to`: a new promotion, never refused for
    what a server might say about a model proved here."""
    locked = _lock(environment)
    by = by.anew()
    permissions.check_can_promote(by, locked)
    if locked.follows:
        _check_usable(locked, None)
    if to is None:
        check_expected(locked, expected)
    elif to.environment_id != locked.pk:
        raise NotFound(f"Promotion {to.pk} is not one of {locked.name}.")
    target = _position(to) if to else rollback_target(locked)
    if target.model is None:
        raise errors.NothingToGoBackTo("That promotion left the environment without a model. Choose another one.")
    return _move(
        environment=locked, model=target.model, by=by, reason=reason, expected=expected, force=False, restores=target
    )


@transaction.atomic
def add_reason(*, promotion: Promotion, reason: str, by: Actor) -> Promotion:
    """Say afterwards why; only by who promoted, and with a credential that may."""
    if by.user is None or promotion.by_id != by.user.pk:
        raise errors.NotTheAuthor(f"This promotion was made by {promotion.by_name}.")
    permissions.check_can_promote(by, promotion.environment)
    before, promotion.reason = promotion.reason, reason
    promotion.save(update_fields=["reason"])
    audit.record(
        by=by,
        action="promotion.reason",
        object=f"promotion:{promotion.pk}",
        project=promotion.environment.project,
        before={"reason": before},
        after={"reason": reason},
    )
    return promotion


# What became of it


@transaction.atomic
def settle(
    *,
    promotion: Promotion,
    status: PromotionStatus,
    at: datetime,
    error_code: str = "",
    error_detail: str = "",
) -> bool:
    """Record what became of a promotion; a conditional update, so that the first of several observers wins."""
    open_ones = Promotion.objects.filter(pk=promotion.pk, status__in=sources(PROMOTION_MOVES, status))
    # An unproven or failed promotion that loads after all is told by when it was proved.
    became = {"status": status, "finished_at": at, "error_code": error_code, "error_detail": error_detail}
    if not open_ones.update(**became):
        return False
    settled = Promotion.objects.told().get(pk=promotion.pk)
    announcements.promotion_settled(settled)
    place = (settled.environment.project_id, settled.environment.name)
    tallies.count(metrics.PROMOTIONS_FINISHED, *place, status)
    if status is PromotionStatus.SUCCEEDED:
        tallies.observe(metrics.TIME_TO_LIVE, *place, (at - settled.created_at).total_seconds())
    return True
