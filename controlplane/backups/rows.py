"""Tables as lines of JSON, the same from every database, and back again, to the microsecond and the last digit."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.apps.registry import Apps
from django.core.management.color import no_style
from django.db import DatabaseError, connection
from django.db.migrations.state import StateApps
from django.db.models import Field, GeneratedField, Model

from controlplane.backups import BackupError

# What is not carried on: who is signed in or locked out, which processes are alive and since when they hear polls.
LEFT_OUT = ("accounts_session", "axes_", "environments_instance", "environments_listening")
# Rows that are read, and written, at a time; of tables whose rows are large, so few that memory stays flat.
ROWS = 500
LARGE_ROWS = {"environments_trainedmodel": 4, "environments_evaluation": 4, "environments_joblog": 20}

Counted = Callable[[int], object]


def models_of(apps: Apps | StateApps) -> dict[str, type[Model]]:
    """The tables that are carried on, by name."""
    found = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    return {
        table: model for table, model in sorted(found.items()) if model._meta.managed and not table.startswith(LEFT_OUT)
    }


def columns_of(model: type[Model]) -> list[str]:
    """Those that are stored, and not computed by the database."""
    stored = (field for field in model._meta.local_concrete_fields if not isinstance(field, GeneratedField))
    return [field.column for field in stored if field.column]


def _fields(model: type[Model], columns: Sequence[str]) -> "list[Field[Any, Any]]":
    by_column = {field.column: field for field in model._meta.local_concrete_fields}
    return [by_column[column] for column in columns]


# Out


def lines(model: type[Model], columns: Sequence[str]) -> Iterator[bytes]:
    """Each row as a line, in the order of the keys."""
    names = [field.attname for field in _fields(model, columns)]
    rows = model._base_manager.order_by("pk").values_list(*names)
    for row in rows.iterator(chunk_size=_at_a_time(model)):
        yield json.dumps(row, default=_plain, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def digest(model: type[Model], columns: Sequence[str]) -> str:
    """One hash over all rows: two databases whose tables hold the same have the same."""
    found = hashlib.sha256()
    for line in lines(model, columns):
        found.update(line)
    return found.hexdigest()


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    raise TypeError(f"{type(value).__name__} is not carried on")


# In


def load(model: type[Model], columns: Sequence[str], data: bytes, counted: Counted) -> None:
    """Insert rows as they were written, with their keys."""
    meta, quote = model._meta, connection.ops.quote_name
    fields = _fields(model, columns)
    names = ", ".join(quote(column) for column in columns)
    places = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {quote(meta.db_table)} ({names}) VALUES ({places})"  # noqa: S608 - our own names alone
    written, step = data.splitlines(), _at_a_time(model)
    for start in range(0, len(written), step):
        rows = [_values(fields, json.loads(line)) for line in written[start : start + step]]
        _insert(meta.db_table, statement, rows)
        counted(len(rows))


def _insert(table: str, statement: str, rows: list[list[Any]]) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
    except (DatabaseError, ValueError) as error:
        raise BackupError(
            f"This database does not take rows of {table}: {error}\nRestore it into the kind of database that it is of."
        ) from error


def _values(fields: "list[Field[Any, Any]]", row: list[Any]) -> list[Any]:
    return [
        None if value is None else field.get_db_prep_save(field.to_python(value), connection)
        for field, value in zip(fields, row, strict=True)
    ]


def empty(models: Iterable[type[Model]]) -> None:
    """Take away what migrations put into tables that are about to be loaded."""
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608


def count_on(models: Sequence[type[Model]]) -> None:
    """Have new rows numbered after those that were loaded. SQLite does so by itself."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(models)):
            cursor.execute(statement)


def _at_a_time(model: type[Model]) -> int:
    return LARGE_ROWS.get(model._meta.db_table, ROWS)
