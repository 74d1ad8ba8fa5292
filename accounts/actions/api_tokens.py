"""API tokens: create one (its secret is returned once), revoke one."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import ApiToken, User, api_token


@transaction.atomic
def create(
    *,
    user: User,
    name: str,
    by: Actor,
    grants: Collection[str] | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A new token of `user` and its secret, which is stored nowhere."""
    secret = api_token.new_secret()
    token = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=secret[: api_token.SHOWN],
        digest=api_token.digest(secret),
        grants=None if grants is None else sorted(grants),
        expires_at=expires_at,
    )
    after = {"user": user.username, "name": name, "prefix": token.prefix, "grants": token.grants}
    audit.record(by=by, action="token.create", object=f"token:{token.prefix}", project=None, after=after)
    return token, secret


@transaction.atomic
def revoke(*, token: ApiToken, by: Actor) -> None:
    """End a token now. Revoking it again changes nothing."""
    revoked = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
    if revoked:
        before = {"user": token.user.username, "name": token.name}
        audit.record(by=by, action="token.revoke", object=f"token:{token.prefix}", project=None, before=before)
