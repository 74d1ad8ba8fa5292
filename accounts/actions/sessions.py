"""Sessions of browsers: begun, ended by their owner, and removed when their time is over."""

from collections.abc import Iterable

from django.db import transaction

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Session, User


def start(*, user: User, by: Actor) -> None:
    """Record that a browser was signed in; the session itself is the request's."""
    audit.record(by=by, action="session.start", object=f"user:{user.username}", project=None)


@transaction.atomic
def end(*, sessions: Iterable[Session], by: Actor) -> int:
    """Sign these browsers out; how many it were."""
    ended = [session for session in sessions if Session.objects.filter(pk=session.pk).delete()[0]]
    for session in ended:
        before = {"address": session.address, "browser": session.browser}
        audit.record(by=by, action="session.end", object=f"user:{session.user}", project=None, before=before)
    return len(ended)


def end_all(user: User) -> None:
    """Part of a change that ends all credentials, and is recorded as that."""
    Session.objects.filter(user=user).delete()


def tidy() -> None:
    """Remove those whose time is over."""
    Session.objects.expired().delete()
