"""What polls can do without for a while: reading the database, writing it, and the cache.

While one of them is away a single request at a time finds out whether it is back. The others go on without it at once,
so that the threads of the web process never all wait for what does not answer.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from django.db import InterfaceError, OperationalError, connection
from redis import RedisError

logger = logging.getLogger(__name__)

# Seconds that a poll waits for one answer of the database, and that pass between two tries while it is away.
PATIENCE = 2.0
PAUSE = 1.0


@contextmanager
def read_patience() -> Iterator[None]:
    """Wait for each answer of PostgreSQL as long as a poll may, not as long as a page. SQLite's readers never wait."""
    before = getattr(connection, "patience", None)
    connection.patience = PATIENCE  # type: ignore[attr-defined]  # of controlplane.postgresql
    try:
        yield
    finally:
        connection.patience = before  # type: ignore[attr-defined]


@contextmanager
def write_patience() -> Iterator[None]:
    """The same for writing, where SQLite waits for the one who writes now."""
    if connection.vendor != "sqlite":
        with read_patience():
            yield
        return
    connection.ensure_connection()
    before = connection.connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")
    try:
        yield
    finally:
        connection.connection.execute(f"PRAGMA busy_timeout = {before}")


class Part:
    """One part that may be away: `errors` are how that shows, in `patience` no answer is waited for too long."""

    def __init__(
        self,
        name: str,
        errors: tuple[type[Exception], ...],
        patience: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.name = name
        self.errors = errors
        self.patience = patience
        self._trying = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """It is there, for all that is known."""
        self.away = False
        self.failed_at = self._next_try = 0.0

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Ask it in the block. Raises the first of `errors` at once while it is away and no try is due."""
        if not self.away:
            yield from self._asked()
            return
        if time.monotonic() < self._next_try or not self._trying.acquire(blocking=False):
            raise self.errors[0](f"{self.name} is away.")
        try:
            yield from self._asked()
        finally:
            self._trying.release()

    def _asked(self) -> Iterator[None]:
        try:
            with self.patience():
                yield
        except self.errors as error:
            self.failed(error)
            raise
        if self.away:
            self.away = False
            logger.warning("%s is back.", self.name)

    def failed(self, error: Exception) -> None:
        # By a clock that nobody sets back.
        self.failed_at, self._next_try = time.time(), time.monotonic() + PAUSE
        if not self.away:
            self.away = True
            logger.warning("%s is away; polls go on without it: %s", self.name, error)


DATABASE = (OperationalError, InterfaceError)
reading = Part("The database", DATABASE, read_patience)
writing = Part("The database, for writing,", DATABASE, write_patience)
cache = Part("The cache", (RedisError, OSError))
