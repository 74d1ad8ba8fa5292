"""Whether a database may be restored into, and the mark of a restore that did not end: nothing starts on such a one."""

from datetime import timedelta

from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone

from controlplane.backups import BackupError
from environments.errors import RestoreUnfinished

MARK = "controlplane_unfinished_restore"
# What shows that an installation was used: rows in any of these.
USED = (
    "environments_trainedmodel",
    "environments_bundle",
    "environments_job",
    "environments_promotion",
    "accounts_apitoken",
    "accounts_session",
)
# Where processes note that they are alive, and when.
ALIVE = {"environments_listening": "until", "environments_instance": "seen_at"}
RUNS_WITHIN = timedelta(seconds=15)


def check_none() -> None:
    """Raises `RestoreUnfinished` where a restore into the database did not end."""
    if MARK in connection.introspection.table_names():
        raise RestoreUnfinished(
            "A restore into this database has not ended, and what there is of it is not whole. If none goes on, run it "
            "again: `manage.py restore FILE`. It begins anew.",
            headers={"Retry-After": "5"},
        )


def check_stopped() -> None:
    """Raises `BackupError` where a process of the control plane noted a moment ago that it is alive."""
    there = connection.introspection.table_names()
    since = connection.ops.adapt_datetimefield_value(timezone.now() - RUNS_WITHIN)
    for table, column in ALIVE.items():
        with connection.cursor() as cursor:
            if table in there:
                quoted = connection.ops.quote_name(table)
                cursor.execute(f"SELECT 1 FROM {quoted} WHERE {column} > %s", [since])  # noqa: S608 - our own names
                if cursor.fetchone() is not None:
                    raise BackupError(
                        f"A control plane runs on this database, or ended less than {RUNS_WITHIN.seconds} s ago. Stop "
                        "it first; its Rasa servers answer with what they have."
                    )


def begin() -> None:
    """Mark the database and take away what is in it: the rest of a restore that did not end, or what the first start
    of an installation made that nobody used. Raises `BackupError` where there is anything else."""
    there = connection.introspection.table_names()
    if MARK not in there:
        _check_empty(there)
    with connection.constraint_checks_disabled(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {MARK} (began_at varchar(40))")
        for table in _ours(there):
            cascade = " CASCADE" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)}{cascade}")


def end() -> None:
    """What was restored is whole."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {MARK}")


def _ours(tables: list[str]) -> list[str]:
    labels = tuple(f"{config.label}_" for config in apps.get_app_configs())
    return [table for table in tables if table.startswith((*labels, "django_")) and table != MARK]


def _check_empty(there: list[str]) -> None:
    others = sorted(set(there) - set(_ours(there)))
    if others:
        raise BackupError(f"The database holds tables of something else ({others[0]}). Restore into one of its own.")
    check_stopped()
    used = [table for table in USED if table in there and _has_rows(table)]
    if used or _somebody_signed_in(there):
        where = connection.settings_dict["NAME"]
        cure = (
            f"move {where} (and {where}-wal, {where}-shm) away"
            if connection.vendor == "sqlite"
            else "make a new database and name it in DATABASE_URL"
        )
        raise BackupError(f"There is an installation in this database, and it is used. To restore, {cure}.")


def _has_rows(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")  # noqa: S608
        return cursor.fetchone() is not None


def _somebody_signed_in(there: list[str]) -> bool:
    if "accounts_user" not in there:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), COUNT(last_login) FROM accounts_user")
        users, signed_in = cursor.fetchone()
    return bool(users > 1 or signed_in)
