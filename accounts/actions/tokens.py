"""Tokens of `/api/auth`: made for who gave the password, and told in the audit trail. Nothing of them is stored."""

from django.db import transaction

from accounts import jwts
from accounts.actions import audit, keys
from accounts.actor import Actor
from accounts.models import User


@transaction.atomic
def issue(*, user: User, by: Actor) -> str:
    """A JWT of `user`, good for `jwts.LIFETIME`."""
    token = jwts.issue(user, keys.signing(by=by))
    after = {"hours": int(jwts.LIFETIME.total_seconds() // 3600)}
    audit.record(by=by, action="token.issue", object=f"user:{user.username}", project=None, after=after)
    return token
