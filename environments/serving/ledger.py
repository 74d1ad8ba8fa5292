"""The ledger: one record per replica, in the cache between polls and in the database as of its last news.

Downloads and new proofs are written at once, heartbeats in batches, so a poll that changes nothing costs no write.
Where several web processes serve, the cache is shared and with it the ledger.
"""

import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection, transaction
from redis import RedisError

from environments import metric_families as metrics
from environments.actions import tallies
from environments.decisions import Record
from environments.models import Environment, Promotion, Proof, Replica, ServerCheck, TrainedModel
from environments.serving import outages

logger = logging.getLogger(__name__)

KEPT = timedelta(days=1)
# A replica is held for so long at the most, and another poll of it waits for so long: who held it may have been killed.
HOLD_SECONDS = 10
HOLD_PATIENCE = 2
# How many proven models of an environment are tried at the most where a server would stay empty.
CANDIDATES = 20
FORGOTTEN_AFTER = timedelta(hours=1)
CACHE_ERRORS = (RedisError, OSError)
DATABASE_ERRORS = (DatabaseError, InterfaceError)

# Django's bulk_update writes a CASE of all rows for each column, which takes twenty times longer to write than this.
HEARTBEAT = f"""
    UPDATE {Replica._meta.db_table} SET address = %s, last_poll_at = %s, record = %s, forgotten_at = NULL WHERE id = %s
"""  # noqa: S608 - a name of our own table alone


@dataclass(frozen=True)
class Entry:
    """A replica as the ledger knows it now; `pk` is its row's, None before the first write."""

    environment_id: int
    name: str
    address: str
    first_seen: float
    record: Record
    pk: int | None = None


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(maxsize=1024)
def _key(environment_id: int, name: str) -> str:
    return f"replica:{environment_id}:{hashlib.sha256(name.encode()).hexdigest()[:32]}"


_locks = [threading.Lock() for _ in range(64)]
_unwritten: set[str] = set()
_unwritten_lock = threading.Lock()


def cache_is_shared() -> bool:
    return not str(settings.CACHES["default"]["BACKEND"]).endswith("LocMemCache")


@contextmanager
def hold(environment_id: int, name: str) -> Iterator[None]:
    """One poll of a replica at a time, across threads and, with a shared cache, across processes."""
    key = _key(environment_id, name)
    with _locks[int(key[-8:], 16) % len(_locks)]:
        holder = _hold_shared(f"{key}:held") if cache_is_shared() else None
        try:
            yield
        finally:
            if holder:
                _let_go(f"{key}:held", holder)


def _hold_shared(key: str) -> str | None:
    """Who holds it now, by a name of its own; None where the cache is away."""
    holder, deadline = uuid.uuid4().hex, time.monotonic() + HOLD_PATIENCE
    try:
        with outages.cache.asked():
            while not cache.add(key, holder, timeout=HOLD_SECONDS):
                if time.monotonic() > deadline:
                    cache.set(key, holder, timeout=HOLD_SECONDS)
                    break
                time.sleep(0.005)
    except CACHE_ERRORS:
        return None
    return holder


def _let_go(key: str, holder: str) -> None:
    """Only what is still ours: who held for too long must not let go of what the next one holds."""
    try:
        if cache.get(key) == holder:
            cache.delete(key)
    except CACHE_ERRORS:
        logger.warning("The cache cannot be reached; a replica stays held for %s s.", HOLD_SECONDS)


def _cached(keys: Iterable[str]) -> dict[str, Entry]:
    """What the cache has of `keys`: nothing while it is away, and that is until it can be written again."""
    if outages.cache.away:
        return {}
    try:
        found: dict[str, Entry] = cache.get_many(list(keys))
    except CACHE_ERRORS as error:
        outages.cache.failed(error)
        return {}
    return found


def _from_row(row: Replica) -> Entry:
    return Entry(
        environment_id=row.environment_id,
        name=row.name,
        address=row.address,
        first_seen=row.first_seen_at.timestamp(),
        record=Record.from_json(row.record),
        pk=row.pk,
    )


def find(environment_id: int, name: str) -> Entry | None:
    """The entry of a replica; None for one that was never heard."""
    key = _key(environment_id, name)
    cached = _cached([key]).get(key)
    if cached is not None and (cached.record.last_poll or 0) > outages.cache.failed_at:
        return cached
    with outages.reading.asked():
        row = Replica.objects.filter(environment_id=environment_id, name=name).first()
    if row is None:
        return cached
    return _newer(_from_row(row), cached) if cached else _from_row(row)


def entries(environments: Iterable[Environment]) -> list[Entry]:
    """All replicas that are remembered, as of now: rows, overlaid with what the cache knows better."""
    rows = Replica.objects.remembered().filter(environment__in=list(environments))
    by_key = {_key(row.environment_id, row.name): _from_row(row) for row in rows}
    cached = _cached(by_key)
    return [_newer(row, cached.get(key, row)) for key, row in by_key.items()]


def _newer(row: Entry, cached: Entry) -> Entry:
    """What is cached, unless the row had news that could not be cached."""
    return row if (row.record.last_poll or 0) > (cached.record.last_poll or 0) else cached


def save(entry: Entry, *, notable: bool) -> Entry:
    """Keep the entry. What is notable is written to the database at once; if that is away, with the next batch.
    What cannot be cached is written at once as well.

    It is cached before it is written, so that `flush`, which reads the cache once it has locked the rows, never puts
    older heartbeats over news.
    """
    cached = _remember(entry, unwritten=True)
    if cached and not (notable or entry.pk is None or entry.record.proof_due):
        return entry
    try:
        with outages.writing.asked():
            entry = _write(entry)
    except DATABASE_ERRORS:
        return entry
    _remember(entry, unwritten=False)
    return entry


def _remember(entry: Entry, *, unwritten: bool) -> bool:
    """Put the entry into the cache; whether it is there now."""
    key = _key(entry.environment_id, entry.name)
    with _unwritten_lock:
        (_unwritten.add if unwritten else _unwritten.discard)(key)
    try:
        with outages.cache.asked():
            cache.set(key, entry, KEPT.total_seconds())
    except CACHE_ERRORS:
        return False
    return True


@transaction.atomic
def _write(entry: Entry) -> Entry:
    """The replica's row, and its proof if one is due."""
    if entry.record.proof_due:
        _write_proof(entry)
        entry = replace(entry, record=replace(entry.record, proof_due=False))
    row, created = Replica.objects.update_or_create(
        environment_id=entry.environment_id,
        name=entry.name,
        defaults=_fields(entry),
        create_defaults={**_fields(entry), "first_seen_at": at(entry.first_seen)},
    )
    if created:
        ServerCheck.objects.filter(environment_id=entry.environment_id).update(due_at=at(entry.first_seen))
    return replace(entry, pk=row.pk)


def _polled_at(entry: Entry) -> datetime:
    return at(entry.record.last_poll or entry.first_seen)


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "address": entry.address,
        "last_poll_at": _polled_at(entry),
        "record": entry.record.as_json(),
        "forgotten_at": None,
    }


def _write_proof(entry: Entry) -> None:
    """Only a model that was promoted here can be proved here; any other makes the replica foreign."""
    environment = Environment.objects.select_related("follows").get(pk=entry.environment_id)
    model = (
        TrainedModel.objects.filter(project_id=environment.project_id, hash=entry.record.proved).order_by("-pk").first()
    )
    history = Promotion.objects.filter(environment=environment.tag_owner)
    if model is None or entry.record.proved_at is None or not history.filter(model=model).exists():
        return
    newest = history.order_by("-pk").first() if environment.follows is None else None
    proved_at = at(entry.record.proved_at)
    Proof.objects.update_or_create(
        environment=environment,
        replica=entry.name,
        model=model,
        promotion=newest if newest and newest.model_id == model.pk else None,
        defaults={"proved_at": proved_at},
        create_defaults={"proved_at": proved_at, "first_at": proved_at},
    )
    tallies.count(metrics.PROOFS, environment.project_id, environment.name)


def proven_models(environment: Environment) -> list[TrainedModel]:
    """The models proved in this environment (then in the one it follows), newest proof first, that can be served."""
    keys: dict[int, None] = {}
    for place in (environment, environment.tag_owner):
        proofs = Proof.objects.filter(environment=place, model__deleted_at=None, model__damaged_at=None)
        keys |= dict.fromkeys(proofs.models_newest_first()[:CANDIDATES])
    models = TrainedModel.objects.defer("metadata").in_bulk(keys)
    return [models[key] for key in keys]


def flush() -> int:
    """Write the heartbeats since the last call, in one batch; how many. Failing, they wait for the next call, and
    while the cache is away they wait in it."""
    if outages.cache.away:
        return 0
    with _unwritten_lock:
        keys = list(_unwritten)
        _unwritten.clear()
    try:
        found, news = _write_heartbeats(keys)
        for entry in news:
            with hold(entry.environment_id, entry.name):
                save(find(entry.environment_id, entry.name) or entry, notable=True)
    except (*DATABASE_ERRORS, *CACHE_ERRORS) as error:
        with _unwritten_lock:
            _unwritten.update(keys)
        if isinstance(error, CACHE_ERRORS):
            outages.cache.failed(error)
            return 0
        raise
    return found


@transaction.atomic
def _write_heartbeats(keys: list[str]) -> tuple[int, list[Entry]]:
    """How many were found, and those among them that are more than heartbeats and not written yet."""
    pks = [entry.pk for entry in cache.get_many(keys).values() if entry.pk is not None]
    # Whoever has news to write waits from here on; what they cached before is read below.
    locked = Replica.objects.select_for_update().filter(pk__in=pks).order_by("pk")
    written = dict(locked.values_list("pk", "last_poll_at"))
    found: list[Entry] = list(cache.get_many(keys).values())
    news = [entry for entry in found if entry.pk is None or entry.record.proof_due]
    heartbeats = [
        _values(entry)
        for entry in found
        # What could not be cached was written at once, and may be newer.
        if entry.pk in written and not entry.record.proof_due and _polled_at(entry) >= written[entry.pk]
    ]
    with connection.cursor() as cursor:
        cursor.executemany(HEARTBEAT, heartbeats)
    return len(found), news


def _values(entry: Entry) -> list[Any]:
    """`_fields` as `HEARTBEAT` takes them."""
    return [
        entry.address,
        connection.ops.adapt_datetimefield_value(_polled_at(entry)),
        connection.ops.adapt_json_value(entry.record.as_json(), None),
        entry.pk,
    ]


def forget(environment: Environment, names: Iterable[str], now: datetime) -> None:
    """Replicas that are gone for good: kept in history, counted no more."""
    chosen = list(names)
    if chosen:
        environment.replica_set.filter(name__in=chosen).update(forgotten_at=now)
