"""Another service token for the servers of an environment: the one before goes on for a grace period."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from environments import errors, permissions
from environments.models import Environment

GRACE = timedelta(hours=24)
LONGEST_GRACE = timedelta(days=30)


@transaction.atomic
def rotate(*, environment: Environment, by: Actor, grace: timedelta = GRACE) -> Environment:
    """Raise the generation. Servers with the token before are answered for `grace`; zero ends it now, as one does with
    a token that leaked.

    While a grace period runs there is a still older token in no use, and the present one may be in use nowhere yet:
    rotating again would cut the servers off, and is refused unless `grace` is zero.
    """
    locked = Environment.objects.select_for_update(of=("self",)).select_related("project").get(pk=environment.pk)
    by = by.anew()
    permissions.check_can_see_environment(by, locked)
    permissions.check_can_manage_environments(by, locked.project)
    now = timezone.now()
    until = locked.previous_token_until
    if grace and until and until > now:
        raise errors.RotationRuns(
            f"The token before the present one of {locked.name} is good until {until:%Y-%m-%d %H:%M} UTC. Wait until "
            "every server has the new one, or end the older tokens at once with a grace of 0 hours.",
            previous_valid_until=until.isoformat().replace("+00:00", "Z"),
        )
    locked.token_generation += 1
    locked.previous_token_until = now + grace if grace else None
    locked.save(update_fields=["token_generation", "previous_token_until"])
    audit.record(
        by=by,
        action="environment.rotate_token",
        object=f"environment:{locked.name}",
        project=locked.project,
        before={"generation": locked.token_generation - 1},
        after={"generation": locked.token_generation, "grace_hours": grace // timedelta(hours=1)},
    )
    return locked
