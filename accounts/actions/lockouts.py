"""Wrong passwords, counted for each account and address together: nobody locks out others from elsewhere.
Those of one address are counted over all names too, so that nobody fills the audit trail by inventing names.

The rows are django-axes' and hold nothing that was typed: people type passwords where the name goes, so that a name
which is no user's is kept as a keyed hash alone.
"""

import hmac
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import sealing
from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import User
from accounts.models import user as user_names
from accounts.problems import SignInLocked

UNKNOWN = "~"  # no user name begins with it
# The row of an address that counts all names: each that is invented would be a new account to guess, and an event.
EVERY_NAME = "*"
EVERY_NAME_LIMIT = 50
SHOWN = 200
NO_ADDRESS = "0.0.0.0"  # noqa: S104 (of a request that has none)
OF_ONE_SUBSCRIBER = 64  # bits of an IPv6 address; whoever has one has all that begin with them


@dataclass(frozen=True)
class Lockout:
    """`username` is None where the name that was typed is no user's, and where the address is locked for every name."""

    username: str | None
    every_name: bool
    address: str
    failures: int
    until: datetime


def check(name: str, address: str) -> None:
    """Refuse a further try, whatever the password, while the name is locked at the address, or every name is."""
    rows = _rows([_key(_account(name), name), EVERY_NAME], address).filter(_locked())
    ends = [_until(row) for row in rows]
    if ends:
        raise SignInLocked(math.ceil((max(ends) - timezone.now()).total_seconds()))


def failed(name: str, address: str, via: str, *, action: str = "session.refused") -> None:
    """Count and record a wrong password; the last one that is allowed locks."""
    account = _account(name)
    by, told = Actor(user=None, via=via, address=address), f"user:{account or '?'}"
    with transaction.atomic():
        failures, of_address = _count(_key(account, name), address), _count(EVERY_NAME, address)
        audit.record(by=by, action=action, object=told, project=None)
        after = {"minutes": settings.AXES_COOLOFF_TIME // timedelta(minutes=1)}
        if failures == settings.AXES_FAILURE_LIMIT:
            audit.record(by=by, action="user.locked", object=told, project=None, after=after)
        if of_address == EVERY_NAME_LIMIT:
            every = f"address:{network(address)}"
            audit.record(by=by, action="address.locked", object=every, project=None, after=after)


def succeeded(name: str, address: str) -> None:
    """The right password takes back the wrong ones before it; not those of the address, where others guess too."""
    _rows([_key(_account(name), name)], address).delete()


def active(*, username: str | None = None, limit: int = SHOWN) -> list[Lockout]:
    """What is locked now, of one user or at all, the newest first."""
    rows = AccessAttempt.objects.filter(_locked()).order_by("-attempt_time")
    if username is not None:
        rows = rows.filter(username=username)
    return [
        Lockout(
            username=None if row.username == EVERY_NAME or row.username.startswith(UNKNOWN) else row.username,
            every_name=row.username == EVERY_NAME,
            address=row.ip_address,
            failures=row.failures_since_start,
            until=_until(row),
        )
        for row in rows[:limit]
    ]


def forget(*, username: str | None = None, address: str | None = None) -> int:
    """Take back the wrong passwords for an account, from an address, or both; how many counts it were."""
    rows = AccessAttempt.objects.all()
    if username is not None:
        rows = rows.filter(username=username)
    if address is not None:
        rows = rows.filter(ip_address=network(address))
    return int(rows.delete()[0])


def tidy() -> None:
    """Remove counts that count no more."""
    AccessAttempt.objects.filter(attempt_time__lte=_threshold()).delete()


def network(address: str) -> str:
    """What stands for an address: of IPv6 the part that one subscriber has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return NO_ADDRESS
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, OF_ONE_SUBSCRIBER), strict=False).network_address)


def is_address(text: str) -> bool:
    """Whether it is an IP address, without the name of an interface, which could be of any length."""
    try:
        return bool(ipaddress.ip_address(text)) and "%" not in text
    except ValueError:
        return False


def _account(name: str) -> str | None:
    """The user name that was meant, whatever the case. What can be no name is not looked for."""
    if not user_names.USERNAME.fullmatch(name):
        return None
    found: str | None = User.objects.named(name).values_list("username", flat=True).first()
    return found


def _key(account: str | None, name: str) -> str:
    text = name.lower().encode("utf-8", "surrogatepass")
    digest = hmac.digest(sealing.derived_key("names typed at sign-in"), text, "sha256").hex()
    return account or f"{UNKNOWN}{digest}"


def _rows(keys: list[str], address: str) -> Any:
    return AccessAttempt.objects.filter(username__in=keys, ip_address=network(address))


def _count(key: str, address: str) -> int:
    """One more, and how many it are within the time that a lockout takes.

    Of an address: since the first, or colleagues who mistype now and then would lock each other out one day.
    """
    row, _ = AccessAttempt.objects.select_for_update().get_or_create(
        username=key, ip_address=network(address), user_agent="", defaults={"failures_since_start": 0}
    )
    if row.attempt_time <= _threshold():
        row.failures_since_start, row.attempt_time = 0, timezone.now()
    row.failures_since_start += 1
    if key != EVERY_NAME or row.failures_since_start == EVERY_NAME_LIMIT:
        row.attempt_time = timezone.now()
    row.save()
    return int(row.failures_since_start)


def _threshold() -> datetime:
    return timezone.now() - settings.AXES_COOLOFF_TIME


def _until(row: AccessAttempt) -> datetime:
    until: datetime = row.attempt_time + settings.AXES_COOLOFF_TIME
    return until


def _locked() -> Q:
    one_name = Q(failures_since_start__gte=settings.AXES_FAILURE_LIMIT) & ~Q(username=EVERY_NAME)
    every_name = Q(failures_since_start__gte=EVERY_NAME_LIMIT, username=EVERY_NAME)
    return (one_name | every_name) & Q(attempt_time__gt=_threshold())
