"""Triggers that make the audit trail append-only: the database itself refuses UPDATE, DELETE and TRUNCATE.

SQLite loses them without a word when a migration rebuilds a table, so they are put back after each migration.
"""

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

# Each table with the columns that are unique in it.
TABLES = {"accounts_auditevent": ("id",), "accounts_auditlink": ("position", "event_id")}

FUNCTION = "accounts_append_only"
# 23001, so that Django raises IntegrityError on both databases.
BODY = """
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
"""
# BEFORE (2) DELETE (8) OR UPDATE (16) OR TRUNCATE (32), for each statement.
STATEMENT_TYPE = 58
# Of one installation at a time: two that replace a function at once fail.
LOCK = 7_365_616_172


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """The triggers that are not there, disabled or not as they were made; none for a table that is not there yet."""
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
    found = _postgresql_found(connection) if connection.vendor == "postgresql" else _sqlite_found(connection)
    wanted = _wanted(connection.vendor)
    return sorted(name for name, (table, _) in wanted.items() if table in there and name not in found)


def install(connection: BaseDatabaseWrapper) -> None:
    """Put back those that are missing."""
    wanted = _wanted(connection.vendor)
    if not missing(connection):
        return
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $body${BODY}$body$"
            )
        for name in missing(connection):
            for statement in wanted[name][1]:
                cursor.execute(statement)


def _wanted(vendor: str) -> dict[str, tuple[str, list[str]]]:
    """The name of each trigger with its table and the statements that make it."""
    wanted = {}
    for table, unique in TABLES.items():
        if vendor == "postgresql":
            wanted[f"{table}_append_only"] = (table, _postgresql_statements(table))
        else:
            for verb, sql in _sqlite_triggers(table, unique).items():
                name = f"{table}_no_{verb}"
                wanted[name] = (table, [f"DROP TRIGGER IF EXISTS {name}", sql])
    return wanted


# PostgreSQL


def _postgresql_statements(table: str) -> list[str]:
    name = f"{table}_append_only"
    return [
        f"CREATE OR REPLACE TRIGGER {name} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}()",
        # Also in a session that says it is a replica.
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}",
    ]


def _postgresql_found(connection: BaseDatabaseWrapper) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
            "WHERE pg_table_is_visible(c.oid) AND t.tgname = c.relname || '_append_only' AND t.tgenabled = 'A' "
            "AND t.tgtype = %s AND t.tgqual IS NULL AND t.tgattr::text = '' AND p.prosrc = %s",
            [STATEMENT_TYPE, BODY],
        )
        return {name for (name,) in cursor.fetchall()}


# SQLite


def _sqlite_triggers(table: str, unique: tuple[str, ...]) -> dict[str, str]:
    """By verb. INSERT OR REPLACE removes a row without asking the trigger of DELETE."""
    there = " OR ".join(f"{column} = NEW.{column}" for column in unique)
    times = {
        "update": "BEFORE UPDATE ON {table}",
        "delete": "BEFORE DELETE ON {table}",
        "replace": f"BEFORE INSERT ON {{table}} WHEN EXISTS (SELECT 1 FROM {table} WHERE {there})",  # noqa: S608
    }
    return {
        verb: f"CREATE TRIGGER {table}_no_{verb} {time.format(table=table)} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {verb} is refused'); END"
        for verb, time in times.items()
    }


def _sqlite_found(connection: BaseDatabaseWrapper) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        there = dict(cursor.fetchall())
    return {name for name, (_, statements) in _wanted("sqlite").items() if there.get(name) == statements[-1]}
