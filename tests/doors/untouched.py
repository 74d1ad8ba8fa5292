"""Whether a refused request left everything as it was."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

WRITE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)"?', re.IGNORECASE)
# Who was refused may be noted, and a session may be kept.
NOTES = {"accounts_auditevent", "accounts_session", "axes_accessattempt"}
LAST_USE = re.compile(r'UPDATE "accounts_apitoken" SET "last_used_at" = \S+ WHERE', re.IGNORECASE)


@contextmanager
def writes() -> Iterator[set[str]]:
    """The tables that were written to meanwhile, notes aside."""
    found: set[str] = set()

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        match = WRITE.match(sql)
        if match and match[1] not in NOTES and not LAST_USE.match(sql):
            found.add(match[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield found


def fingerprint(tables: set[str] | None = None) -> dict[str, list[Any]]:
    """All rows of the tables, notes aside."""
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(
            tables if tables is not None else set(connection.introspection.table_names(cursor)) - NOTES
        ):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name of our own table
            columns = [column[0] for column in cursor.description]
            kept = [place for place, column in enumerate(columns) if column != "last_used_at"]
            found[table] = sorted(repr([row[place] for place in kept]) for row in cursor.fetchall())
    return found
