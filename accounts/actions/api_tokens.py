"""API tokens: create one (its secret is returned once), revoke one."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import ApiToken, User, api_token
from accounts.problems import InvalidFields, NotFound

MAX_NAME = 100


@transaction.atomic
def create(
    *,
    user: User,
    name: str,
    by: Actor,
    grants: Collection[str] | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A new token of `user` and its secret, which is stored nowhere.

    Whether `grants` may be given is the caller's to check. A token that makes a token makes none that gets more or
    lasts longer than itself.
    """
    if not 0 < len(name) <= MAX_NAME:
        cure = f"Give the token a name of up to {MAX_NAME} letters."
        raise InvalidFields(f"name: {cure}", errors={"name": [cure]})
    # Locked, so that a deactivation either finds this token to revoke it or is over and found here.
    owner = User.objects.active().select_for_update(no_key=True).filter(pk=user.pk).first()
    if owner is None:
        raise NotFound(f"There is no active account {user.username}.")
    by = by.anew()
    _check_not_wider(by.token, grants, expires_at)
    secret = api_token.new_secret()
    token = ApiToken.objects.create(
        user=owner,
        name=name,
        prefix=secret[: api_token.SHOWN],
        digest=api_token.digest(secret),
        grants=None if grants is None else sorted(set(grants)),
        expires_at=expires_at,
    )
    after = {"user": owner.username, "name": name, "prefix": token.prefix, "grants": token.grants}
    audit.record(by=by, action="token.create", object=f"token:{token.prefix}", project=None, after=after)
    return token, secret


def _check_not_wider(maker: ApiToken | None, grants: Collection[str] | None, expires_at: datetime | None) -> None:
    if maker is None:
        return
    if maker.grants is not None and (grants is None or not set(grants) <= set(maker.grants)):
        cure = "The token you use has narrower grants. Name those of the new one, among them."
        raise InvalidFields(f"grants: {cure}", errors={"grants": [cure]})
    if maker.expires_at is not None and (expires_at is None or expires_at > maker.expires_at):
        cure = f"The token you use expires at {maker.expires_at.isoformat()}. Choose no later time."
        raise InvalidFields(f"expires_at: {cure}", errors={"expires_at": [cure]})


@transaction.atomic
def revoke(*, token: ApiToken, by: Actor) -> None:
    """End a token now. Revoking it again changes nothing."""
    if ApiToken.objects.filter(pk=token.pk).revoke():
        before = {"user": token.user.username, "name": token.name}
        audit.record(by=by, action="token.revoke", object=f"token:{token.prefix}", project=None, before=before)
