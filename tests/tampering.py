"""What somebody with access to the database itself can do to the audit trail: end the triggers, then change rows."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts import triggers


def execute(*statements: str, on: BaseDatabaseWrapper = connection) -> None:
    # PostgreSQL changes no table whose deferred constraints are still to be checked.
    on.check_constraints()
    with on.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def end_triggers(on: BaseDatabaseWrapper = connection) -> None:
    if on.vendor == "postgresql":
        execute(*(f"DROP TRIGGER IF EXISTS {table}_append_only ON {table}" for table in triggers.TABLES), on=on)
    else:
        verbs = ("update", "delete", "replace")
        execute(*(f"DROP TRIGGER IF EXISTS {table}_no_{verb}" for table in triggers.TABLES for verb in verbs), on=on)


@contextmanager
def unprotected(on: BaseDatabaseWrapper = connection) -> Iterator[None]:
    """Inside, audit events and their seals can be changed; afterwards nothing tells that they could."""
    end_triggers(on)
    try:
        yield
    finally:
        on.check_constraints()
        triggers.install(on)
