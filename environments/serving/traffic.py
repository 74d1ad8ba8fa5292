"""What the web processes count together: polls by their answer, requests and how long they took.

Each process counts in its memory and adds that to the shared cache every few seconds, so that any of them knows all of
it, a process that ends leaves its counts behind, and no poll writes anything. Without a shared cache there is one
process, and its memory is enough. A process that is killed takes the last seconds with it.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable

from django.core.cache import cache

from environments.metric_families import REQUEST_BUCKETS, SUM, PollAnswer, Route, bucket_of
from environments.serving import ledger, outages

PUBLISH_EVERY = 5.0
PREFIX = "metrics:"
MICROSECONDS = 1_000_000

_pending: Counter[str] = Counter()
_own: Counter[str] = Counter()
_lock = threading.Lock()
_publishing = threading.Lock()
_published_at = 0.0


def poll_key(project: str, environment: str, answer: PollAnswer) -> str:
    return f"{PREFIX}polls:{project}:{environment}:{answer}"


def request_key(route: Route, status: str) -> str:
    """`status` is a class of them, as `2xx`."""
    return f"{PREFIX}requests:{route}:{status}"


def duration_key(route: Route, label: str) -> str:
    """`label` is the upper bound of a bucket, or `sum`, which is kept in microseconds."""
    return f"{PREFIX}duration:{route}:{label}"


def polled(project: str, environment: str, answer: PollAnswer) -> None:
    with _lock:
        _pending[poll_key(project, environment, answer)] += 1


def answered(route: Route, status: int, seconds: float) -> None:
    bucket = bucket_of(seconds, REQUEST_BUCKETS)
    with _lock:
        _pending[request_key(route, f"{status // 100}xx")] += 1
        _pending[duration_key(route, bucket)] += 1
        _pending[duration_key(route, SUM)] += round(seconds * MICROSECONDS)


def publish_if_due() -> None:
    if time.monotonic() - _published_at >= PUBLISH_EVERY:
        publish()


def publish() -> bool:
    """Add what was counted since the last time; False while the cache is away, and then it waits here."""
    global _published_at
    with _publishing:
        _published_at = time.monotonic()
        with _lock:
            amounts = dict(_pending)
            _pending.clear()
        if not ledger.cache_is_shared():
            _own.update(amounts)
            return True
        left = _add(amounts)
        with _lock:
            _pending.update(left)
        return not left


def _add(amounts: dict[str, int]) -> dict[str, int]:
    """What could not be added. What the cache did not confirm counts as such, and may count twice."""
    left = dict(amounts)
    try:
        with outages.cache.asked():
            for key, amount in amounts.items():
                _increase(key, amount)
                del left[key]
    except ledger.CACHE_ERRORS:
        return left
    return left


def _increase(key: str, amount: int) -> None:
    try:
        cache.incr(key, amount)
    except ValueError:  # there is none yet
        cache.add(key, 0, timeout=None)
        cache.incr(key, amount)


def totals(keys: Iterable[str]) -> dict[str, int] | None:
    """The counts of all processes by their keys; what was never counted is missing. None while the cache is away."""
    if not publish():
        return None
    if not ledger.cache_is_shared():
        return {key: _own[key] for key in keys if key in _own}
    try:
        with outages.cache.asked():
            found: dict[str, int] = cache.get_many(list(keys))
    except ledger.CACHE_ERRORS:
        return None
    return found


def forget() -> None:
    """Begin anew, as a process that has just started."""
    with _lock:
        _pending.clear()
        _own.clear()
