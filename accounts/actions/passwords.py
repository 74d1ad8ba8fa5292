"""Passwords: chosen by a link or changed by their owner. Each change ends the user's sessions and JWTs."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import links
from accounts.actions import audit, lockouts, sessions
from accounts.actor import Actor
from accounts.limits import BUSY, SIGN_INS
from accounts.models import User
from accounts.problems import InvalidFields, LinkSpent, Unauthorized


def change(*, user: User, old: str, new: str, by: Actor) -> User:
    """Another password for one's own account. A wrong `old` counts as a wrong password at the sign-in."""
    lockouts.check(user.username, by.address)
    with SIGN_INS.slot(BUSY):
        # Not in the transaction, which would take the count of a wrong one back.
        if not user.check_password(old):
            lockouts.failed(user.username, by.address, by.via, action="user.password_refused")
            cure = "This is not your present password."
            raise InvalidFields(f"old: {cure}", errors={"old": [cure]})
        lockouts.succeeded(user.username, by.address)
        return _change(user, new, by)


@transaction.atomic
def _change(checked: User, new: str, by: Actor) -> User:
    """Refused where the password that was checked is no longer the account's: a reset stays one."""
    user = User.objects.select_for_update().get(pk=checked.pk)
    if not user.is_active or _opened_by(user) != _opened_by(checked):
        raise Unauthorized("The account was changed meanwhile: its password was reset, or it was deactivated.")
    check(new, user, field="new")
    return _put(user, new, by)


def _opened_by(user: User) -> tuple[str, int]:
    return user.password, user.credential_generation


def choose(*, user: User, token: str, new: str, via: str, address: str) -> User:
    """The password that whoever holds a link chooses; of two who use it at once, one does."""
    with SIGN_INS.slot(BUSY):
        return _choose(user, token, new, Actor(user=user, via=via, address=address))


@transaction.atomic
def _choose(user: User, token: str, new: str, by: Actor) -> User:
    user = User.objects.select_for_update().get(pk=user.pk)
    if not links.opens(user, token):
        raise LinkSpent()
    check(new, user, field="new")
    return _put(user, new, by)


@transaction.atomic
def replace(*, user: User, new: str, by: Actor) -> User:
    """Another password, by somebody who need not know the present one. Who may is the caller's to check."""
    check(new, user, field="password")
    return _put(user, new, by)


def check(password: str, user: User, *, field: str) -> None:
    """Refuse a weak one with every reason; it is not repeated."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidFields(f"{field}: {' '.join(error.messages)}", errors={field: list(error.messages)}) from None


def give_first(user: User, password: str | None) -> None:
    """A password for an account that is being made, not saved here: a hash takes long, so no lock is held meanwhile.
    None: nobody signs in by one yet."""
    if password is None:
        user.set_unusable_password()
        return
    check(password, user, field="password")
    with SIGN_INS.slot(BUSY):
        user.set_password(password)


def take(user: User) -> None:
    """No password opens the account from now on, and what was opened by one is closed."""
    user.set_unusable_password()
    _save(user)


def _save(user: User) -> None:
    """Whoever changes the own password in a session gives that one a new key, and goes on in it."""
    user.credential_generation += 1
    user.save(update_fields=["password", "credential_generation"])
    sessions.end_all(user)


def _put(user: User, password: str, by: Actor) -> User:
    user.set_password(password)
    _save(user)
    audit.record(by=by, action="user.password", object=f"user:{user.username}", project=None)
    return user
