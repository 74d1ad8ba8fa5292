"""Frozen environments: a restore freezes all of them, and for each a person decides what it is to serve.

Nobody knows what was promoted after the backup was taken, but the servers do: until somebody has looked, they keep what
they have.
"""

from datetime import datetime

from django.db import transaction

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from environments import errors, permissions
from environments.actions import promotions
from environments.models import Environment, TrainedModel


def freeze_all(*, as_of: datetime, now: datetime) -> list[str]:
    """Freeze every environment that has a tag, retired ones too: they may come back. The caller records it."""
    owners = Environment.objects.filter(follows=None)
    owners.update(frozen_at=now, frozen_as_of=as_of)
    return [str(environment) for environment in owners.active()]


def check_none(project: Project) -> None:
    """Raises `EnvironmentFrozen` while any environment of the project waits for a decision."""
    frozen = list(Environment.objects.frozen().filter(project=project).values_list("name", flat=True))
    if frozen:
        raise errors.EnvironmentFrozen(
            f"The installation was restored, and nobody has decided yet what {', '.join(frozen)} should serve. Until "
            "then no pipeline of the project runs.",
            environments=frozen,
        )


@transaction.atomic
def resume(*, environment: Environment, model: TrainedModel | None, by: Actor, reason: str = "") -> Environment:
    """Go on with `model` (None: no model) as what the environment serves: what the backup says, which moves nothing, or
    another one, such as its servers have, which is a promotion. Its servers get it from their next poll on."""
    owners = Environment.objects.select_for_update(of=("self",)).select_related("project")
    locked = owners.get(pk=environment.pk)
    by = by.anew()
    permissions.check_can_promote(by, locked)
    if locked.follows:
        raise errors.FollowsAnother(
            f"{locked.name} serves what {locked.follows.name} serves. Decide for {locked.follows.name}.",
            follows=locked.follows.name,
        )
    if locked.frozen_at is None:
        raise errors.NotFrozen(f"{locked.name} is not frozen. Promote the model that it is to serve.")
    before = {"frozen_at": locked.frozen_at.isoformat(), "model": _name(promotions.current_model(locked))}
    locked.frozen_at = locked.frozen_as_of = None
    locked.save(update_fields=["frozen_at", "frozen_as_of"])
    audit.record(
        by=by,
        action="environment.resume",
        object=f"environment:{locked.name}",
        project=locked.project,
        before=before,
        after={"model": _name(model), "reason": reason},
    )
    if promotions.current_model(locked) != model:
        promotions.promote(environment=locked, model=model, by=by, reason=reason)
    return locked


def _name(model: TrainedModel | None) -> str | None:
    return model.name if model else None
