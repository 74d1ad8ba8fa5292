"""Accounts that are locked at an address after too many wrong passwords: which, and taking a lock away."""

from django.db import transaction

from accounts.actions import audit, lockouts
from accounts.actions.lockouts import Lockout
from accounts.actor import Actor
from accounts.models import User
from accounts.problems import InvalidFields
from environments import permissions


def active(*, by: Actor, user: User | None = None, limit: int = lockouts.SHOWN) -> list[Lockout]:
    """What is locked now, of one user or at all, the newest first."""
    permissions.check_can_read_users(by)
    return lockouts.active(username=user.username if user else None, limit=limit)


@transaction.atomic
def clear(*, by: Actor, user: User | None = None, address: str | None = None) -> int:
    """Let a user sign in again, from an address or from everywhere (None); without a user, everybody from an address.

    How many counts of wrong passwords it took back.
    """
    permissions.check_can_write_users(by)
    if user is None and address is None:
        return 0
    if address is not None and not lockouts.is_address(address):
        cure = "This is no IP address."
        raise InvalidFields(f"address: {cure}", errors={"address": [cure]})
    username = user.username if user else None
    cleared = lockouts.forget(username=username, address=address)
    if cleared:
        told = f"user:{username}" if username else f"address:{address}"
        audit.record(by=by, action="user.unlock", object=told, project=None, after={"address": address})
    return cleared
