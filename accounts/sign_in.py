"""Signing in by user name and password, whichever door asks: locked out, busy, wrong or right."""

from datetime import timedelta
from typing import Any

from axes.backends import AxesBackend
from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.backends import ModelBackend
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.actions import lockouts, sessions
from accounts.actor import COMMAND, PAGE, Actor
from accounts.authentication import door, peer_address
from accounts.limits import BUSY, SIGN_INS
from accounts.models import Session, User
from accounts.models import user as user_names


class PasswordBackend(AxesBackend):  # type: ignore[misc]  # axes has no types
    """Django's own, for names whatever their case. Unknown names take the time of a wrong password.

    Raises `SignInLocked` after too many wrong passwords, also for the right one, and `Busy`.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        name, address = username or "", peer_address(request) if request else ""
        lockouts.check(name, address)
        with SIGN_INS.slot(BUSY):
            user = ModelBackend.authenticate(self, request, username=_plain(name), password=_storable(password))
        if not isinstance(user, User):
            return None
        lockouts.succeeded(name, address)
        return user


class LockoutHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """What django-axes does with the signals of Django's sign-in: it keeps nothing that was typed."""

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        via, address = (door(request), peer_address(request)) if request else (COMMAND, "")
        lockouts.failed(str(credentials.get("username") or ""), address, via)

    def user_logged_in(self, sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        """The backend has forgotten the wrong passwords already; other sign-ins prove none."""

    def user_logged_out(self, sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
        """Nothing is kept of it here."""


def begin(request: HttpRequest, user: User) -> None:
    """Sign this browser in, under a new session key and for `SESSION_DAYS`, whatever is done in them."""
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    by = Actor(user=user, via=PAGE, address=peer_address(request))
    request.session.describe(  # type: ignore[attr-defined]  # the store is ours
        address=by.address,
        browser=request.META.get("HTTP_USER_AGENT", ""),
        expires_at=timezone.now() + timedelta(days=settings.SESSION_DAYS),
    )
    sessions.start(user=user, by=by)


def session_of(request: HttpRequest) -> QuerySet[Session]:
    """The row of this browser's session, if it has one."""
    return Session.objects.filter(pk=request.session.stored_key)  # type: ignore[attr-defined]


def _plain(name: str) -> str:
    """No user has the name that stands for those that can be none; databases do not take every text."""
    return name if user_names.USERNAME.fullmatch(name) else ""


def _storable(password: str | None) -> str | None:
    """A password that UTF-8 cannot write is nobody's."""
    try:
        return password if password is None or password.encode() else None
    except UnicodeEncodeError:
        return None
