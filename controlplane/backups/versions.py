"""Which version of the tables a database has, and tables of an earlier version."""

from collections.abc import Iterable

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps

from controlplane.backups import BackupError

Migration = tuple[str, str]


def applied() -> list[list[str]]:
    """What was applied, for the header of a backup. Raises `BackupError` unless that is what this version needs."""
    executor = MigrationExecutor(connection)
    graph, done = executor.loader.graph, set(executor.loader.applied_migrations)
    if executor.migration_plan(graph.leaf_nodes()):
        raise BackupError(
            "The database is older than this version of the control plane. Take the backup with the version it is of, "
            "or run `manage.py prepare` first."
        )
    _check_known(executor, done, "The database")
    return sorted([app, name] for app, name in done)


def _check_known(executor: MigrationExecutor, migrations: Iterable[Migration], what: str) -> None:
    unknown = sorted(set(migrations) - set(executor.loader.disk_migrations))
    if unknown:
        app, name = unknown[-1]
        raise BackupError(
            f"{what} is of a newer version of the control plane: it has the migration {app} {name}, which this one "
            "does not know. Install that version, or a newer one, and do it again."
        )


def make_tables(migrations: Iterable[Migration]) -> StateApps:
    """Make, in an empty database, the tables as they were with these migrations; the models of that time."""
    wanted = set(migrations)
    executor = MigrationExecutor(connection)
    _check_known(executor, wanted, "The backup")
    targets = _newest(executor, wanted)
    executor.migrate(targets)
    executor.loader.build_graph()
    missing = wanted ^ set(executor.loader.applied_migrations)
    if missing:
        raise BackupError(f"The tables of that time cannot be made any more: {sorted(missing)[0]} does not fit.")
    return executor.loader.project_state(targets).apps


def check_known(migrations: Iterable[Migration]) -> None:
    """Raises `BackupError` where a backup is of a newer version."""
    _check_known(MigrationExecutor(connection), migrations, "The backup")


def _newest(executor: MigrationExecutor, wanted: set[Migration]) -> list[Migration]:
    """Those of the migrations that no other one of the same app builds upon."""
    parents = {
        parent.key
        for key in wanted
        for parent in executor.loader.graph.node_map[key].parents
        if parent.key[0] == key[0]
    }
    return sorted(wanted - parents)
