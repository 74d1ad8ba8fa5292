"""Who asked last for the model of an environment with a token that does not open it.

A Rasa server logs no word of why it gets no model, so the Connect tab says it. One line an environment, kept for an
hour in the cache; whoever asks needs no credential to leave one, so each process writes one a second at the most.
"""

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache
from django.utils import timezone

from environments import names
from environments.models import Environment
from environments.serving import ledger, lookup, outages

KEPT = timedelta(hours=1)
NOTE_EVERY = 1.0

_lock = threading.Lock()
_noted_at = float("-inf")


@dataclass(frozen=True)
class TurnedAway:
    """`name` is what the server calls its replica, its address where it says nothing."""

    name: str
    address: str
    at: datetime


def _key(environment_id: int) -> str:
    return f"turned-away:{environment_id}"


def _is_due() -> bool:
    global _noted_at
    with _lock:
        now = time.monotonic()
        if now - _noted_at < NOTE_EVERY:
            return False
        _noted_at = now
        return True


def note(*, project: str, tag: str, name: str, address: str) -> None:
    """Remember it for the environment that has this tag; nothing for a tag that none has, nor while the database or
    the cache is away."""
    tag = names.canonical_tag(tag)
    # Not every database can be asked for what is no name.
    if not (names.LABEL.fullmatch(project) and names.LABEL.fullmatch(tag) and _is_due()):
        return
    try:
        with outages.reading.asked():
            found = lookup.by_name(project, tag)
        if found is None:
            return
        with outages.cache.asked():
            cache.set(_key(found.environment.pk), TurnedAway(name, address, timezone.now()), KEPT.total_seconds())
    except (*ledger.DATABASE_ERRORS, *ledger.CACHE_ERRORS):
        return


def last(environment: Environment) -> TurnedAway | None:
    """The last one that asked for the tag that the environment pulls, and was not heard under its name since."""
    owner = environment.tag_owner
    if outages.cache.away:
        return None
    try:
        found: TurnedAway | None = cache.get(_key(owner.pk))
    except ledger.CACHE_ERRORS:
        return None
    if found is None:
        return None
    heard = ledger.find(environment.pk, found.name)
    return None if heard and (heard.record.last_poll or 0) > found.at.timestamp() else found
