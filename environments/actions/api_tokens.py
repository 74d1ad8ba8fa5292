"""API tokens as the doors make them: one's own, or of a service account. Who may is asked again under the locks."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from accounts.actions import api_tokens
from accounts.actor import Actor
from accounts.models import ApiToken, User
from environments import errors, permissions
from environments.actions import roles


@transaction.atomic
def create(
    *,
    user: User,
    name: str,
    by: Actor,
    grants: Collection[str] | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A new token of `user` and its secret, which is stored nowhere. Nothing changes roles or accounts meanwhile."""
    roles.lock_access()
    by, user = by.anew(), User.objects.get(pk=user.pk)
    _check_can_create(user, by)
    permissions.check_can_give(by, grants or ())
    return api_tokens.create(user=user, name=name, by=by, grants=grants, expires_at=expires_at)


def _check_can_create(user: User, by: Actor) -> None:
    if by.user is not None and by.user.service_of_id is not None:
        raise errors.TokensAreMadeByPeople(f"{by.user.username} is a service account. Its tokens are made by people.")
    if user == by.user:
        permissions.check_can_write_own_tokens(by)
    else:
        permissions.check_can_make_token_for(by, user)
    if not user.is_active:
        raise errors.UserInactive(f"{user.username} is deactivated. Activate the account first.")
