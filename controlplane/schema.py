"""Whether the database is as this version needs it, and one migration at a time, however many starts there are."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

# Any number, the same for every version, that nobody else locks in this database.
ADVISORY_LOCK = 0x0C_0117_B01_A7E
# Seconds between two tries.
TRY_EVERY = 0.25

Say = Callable[[str], object]


def missing() -> list[str]:
    """The migrations of this version that the database has not got. What a later version added to it is no fault."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


@contextmanager
def alone(*, say: Say) -> Iterator[None]:
    """One at a time prepares the database; the others wait, and say so. Whoever is killed holds up nobody."""
    with _on_postgresql(say) if connection.vendor == "postgresql" else _on_this_machine(say):
        yield


@contextmanager
def _on_postgresql(say: Say) -> Iterator[None]:
    """By a lock of the session, on a connection of its own: a migration may end that of the others."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:

            def taken() -> bool:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK])
                return bool(cursor.fetchone()[0])

            _wait_for(taken, say)
            yield
    finally:
        own.close()


@contextmanager
def _on_this_machine(say: Say) -> Iterator[None]:
    with (Path(settings.CONTROLPLANE_HOME) / "prepare.lock").open("ab") as file:

        def taken() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        _wait_for(taken, say)
        yield


def _wait_for(taken: Callable[[], bool], say: Say) -> None:
    if taken():
        return
    say("Another start is preparing the database; waiting for it.")
    while not taken():
        time.sleep(TRY_EVERY)
