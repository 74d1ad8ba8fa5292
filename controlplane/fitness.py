"""Whether this process may answer and work: its version fits the database, its installation key opens the secrets
there, and it shares archives and cache with those that run beside it.

One that does not fit goes on looking. It answers 503 with the cure meanwhile, so that a load balancer asks another.
"""

import hashlib
import hmac
import logging
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, close_old_connections
from redis import RedisError

from accounts import sealing
from accounts.actions import keys
from accounts.problems import Problem
from controlplane import schema, waits
from controlplane.backups import unfinished
from environments import stores
from environments.actions import instances
from environments.clients.storage import DiskStorage, Storage, StorageError
from environments.errors import OtherStore, SchemaBehind
from environments.models import Instance

logger = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
WEB, WORKER = "web", "worker"
CACHE_MARK = "controlplane:mark"
STORES = ("archives", "bundles")
# What costs no data when it is not shared, and so stops nobody; each with the cure.
UNSHARED = {
    "cache": "Each has another cache and knows only the servers that ask it, so what is shown changes from one to the "
    "other. Give all of them the same CACHE_URL.",
    "broker": "What one sends to its broker, the other never gets, so jobs wait. Give all of them the same BROKER_URL.",
    "tokens": "Tokens of Rasa servers or of end users are taken by one and refused by the other. Give all of them the "
    "same RASA_X_TOKEN and JWT_SECRET.",
}


class Fitness:
    """What one process found at its last look."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.name = secrets.token_hex(8)
        self.problem: Problem | None = None
        self.unshared: set[str] = set()
        self._schema_fits = False
        self._suspected: set[tuple[str, str]] = set()

    def look(self) -> Problem | None:
        """Find out anew what keeps this process from its work. Raises `DatabaseError` where that cannot be told."""
        found = self._found()
        if found and (self.problem is None or self.problem.code != found.code):
            logger.error("%s", found.detail)
        if self.problem and not found:
            logger.warning("What kept this process from its work is over.")
        self.problem = found
        return found

    def _found(self) -> Problem | None:
        try:
            # It never goes back, and finding out reads many files.
            if not self._schema_fits:
                self._check_schema()
            keys.check_installation_key()
            self._check_shared()
        except Problem as problem:
            return problem
        return None

    def _check_schema(self) -> None:
        unfinished.check_none()
        missing = schema.missing()
        if missing:
            raise SchemaBehind(missing)
        self._schema_fits = True

    def _check_shared(self) -> None:
        marks = marks_of(self.name)
        others = instances.note(name=self.name, part=self.part, host=socket.gethostname(), marks=marks)
        self._tell_unshared(marks, others)
        for other in others:
            for store in STORES:
                if differs(marks, other, store):
                    raise OtherStore(_elsewhere(other, store), headers={"Retry-After": "5"})

    def _tell_unshared(self, marks: Mapping[str, str], others: Iterable[Instance]) -> None:
        """Seen twice, for a cache that was emptied has another mark at once, and the others ask for it later."""
        suspected = {
            (what, other)
            for other in others
            for what in UNSHARED
            if differs(marks, other, what) and (what != "cache" or self.part == other.part == WEB)
        }
        again = {(what, other) for what, other in suspected if (what, other.name) in self._suspected}
        for what, other in again:
            if what not in self.unshared:
                logger.error("This process is set up otherwise than %s. %s", other, UNSHARED[what])
        self.unshared = {what for what, _ in again}
        self._suspected = {(what, other.name) for what, other in suspected}


def marks_of(name: str) -> dict[str, str]:
    """What the process of that name shares with the others, each part by a mark that tells nothing else."""
    return {
        "cache": _cache_mark(name),
        "broker": _broker_mark(),
        "tokens": _tokens_mark(),
        "archives": _mark(stores.models()),
        "bundles": _mark(stores.bundles()),
    }


def _cache_mark(name: str) -> str:
    """What the cache calls itself since it was first asked; that of a process's memory is of that process."""
    if settings.CACHES["default"]["BACKEND"].endswith("LocMemCache"):
        return f"the memory of {name}"
    try:
        cache.add(CACHE_MARK, secrets.token_hex(8), timeout=None)
        return str(cache.get(CACHE_MARK) or "")
    except (RedisError, OSError):
        return ""


def _broker_mark() -> str:
    """Of one over the network no more than its kind: it has several names."""
    kind = str(settings.CELERY_BROKER_URL).partition(":")[0]
    return _mark(DiskStorage(settings.BROKER_FOLDER)) if kind == "filesystem" else kind.removesuffix("s")


def _tokens_mark() -> str:
    shared = f"{settings.RASA_X_TOKEN} {settings.JWT_SECRET}"
    return hmac.digest(sealing.derived_key("mark of tokens"), shared.encode(), hashlib.sha256).hex()[:12]


def differs(marks: Mapping[str, str], other: Instance, what: str) -> bool:
    """Whether the two surely do not share it. A mark is empty where it cannot be read now."""
    own, theirs = marks.get(what), other.marks.get(what)
    return bool(own and theirs and own != theirs)


def _mark(store: Storage) -> str:
    try:
        return store.mark()
    except StorageError:
        return ""


def _elsewhere(other: Instance, store: str) -> str:
    return (
        f"The folder {store} of this process is not the one of {other}, which runs beside it on the same database. "
        f"Mount one folder, shared by all processes, as {store} of CONTROLPLANE_HOME, and start this one again."
    )


_own: list[Fitness] = []


def of_this_process() -> Fitness | None:
    """None where nobody looks, as in a command."""
    return _own[0] if _own else None


def _look(fitness: Fitness) -> None:
    try:
        fitness.look()
    except DatabaseError as error:
        # Whoever needs the database now finds out by itself; what was found before still holds.
        logger.debug("fitness cannot be told now: %s", error)
    except Exception:
        logger.exception("It could not be found out whether this process fits; trying again.")
    finally:
        close_old_connections()


def _go_on(fitness: Fitness) -> None:
    while True:
        time.sleep(EVERY_SECONDS)
        _look(fitness)


def start(part: str) -> Fitness:
    """Look now, and go on looking in a thread of its own."""
    fitness = Fitness(part)
    _own[:] = [fitness]
    _look(fitness)
    threading.Thread(target=_go_on, args=(fitness,), name="fitness", daemon=True).start()
    return fitness


def wait_until_fit(part: str) -> None:
    """For a process that takes work by itself: not before it fits. Its health check sees that it waits."""
    fitness = start(part)
    while fitness.problem:
        with suppress(OSError):
            waits.note()
        time.sleep(EVERY_SECONDS / 5)
    with suppress(OSError):
        waits.over()
