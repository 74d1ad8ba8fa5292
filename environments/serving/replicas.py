"""What may be done to a replica: let it try again."""

from dataclasses import replace

from accounts.actions import audit
from accounts.actor import Actor
from accounts.problems import NotFound
from environments import permissions
from environments.decisions import forget_tries
from environments.models import Environment
from environments.serving import ledger


def retry(*, environment: Environment, name: str, by: Actor) -> None:
    """Forget what the replica tried, so that its next poll is given the environment's model again."""
    permissions.check_can_promote(by, environment)
    with ledger.hold(environment.pk, name):
        entry = ledger.find(environment.pk, name)
        if entry is None:
            raise NotFound(f"{environment.name} has no replica {name}.")
        ledger.save(replace(entry, record=forget_tries(entry.record)), notable=True)
    audit.record(
        by=by, action="replica.retry", object=f"replica:{environment.name}/{name}", project=environment.project
    )
