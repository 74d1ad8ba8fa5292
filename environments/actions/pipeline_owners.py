"""Who a run of a pipeline acts as: its owner, with what that person may do at this moment, and never more than the
token that the pipeline was declared with."""

from accounts.actor import PIPELINE, Actor
from accounts.models import User
from accounts.problems import Unauthorized
from environments import permissions, pipeline_spec
from environments.errors import OwnerCannotAct
from environments.models import PipelineRun
from environments.pipeline_spec import Pipeline as Declared

CURE = "Let somebody who holds every grant that its steps need declare it again: they become its owner."


def acting(run: PipelineRun, declared: Declared) -> Actor:
    """The owner as the actor of the next step. Raises `OwnerCannotAct` where any step would be refused: nothing is
    begun that may not be finished."""
    owner = User.objects.get(pk=run.owner_id)
    if not owner.is_active:
        raise OwnerCannotAct(f"{owner.username}, who owns the pipeline, was deactivated. {CURE}", owner=owner.username)
    try:
        actor = Actor(user=owner, via=PIPELINE, token=run.token).anew()
    except Unauthorized:
        raise OwnerCannotAct(
            f"The API token with which {owner.username} declared the pipeline was revoked or has expired. {CURE}",
            owner=owner.username,
        ) from None
    lacking = permissions.missing(actor, run.pipeline.project, pipeline_spec.grants(declared))
    if lacking:
        told = ", ".join(lacking)
        raise OwnerCannotAct(
            f"{owner.username}, who owns the pipeline, does not hold {told} any more. {CURE}",
            owner=owner.username,
            grant=lacking[0],
        )
    return actor
