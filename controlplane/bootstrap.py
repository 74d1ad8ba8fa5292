"""What every start needs and the first one makes: keys, the default project, the administrator, the environments."""

import secrets
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from accounts import triggers
from accounts.actions import audit, keys
from accounts.actor import COMMAND, FILE, system
from accounts.models import Project, project
from accounts.problems import Problem
from controlplane import home
from controlplane.backups import unfinished
from environments import pipeline_spec, spec
from environments.actions import declaration, pipeline_declaration, roles, users

PASSWORD_FILE = "initial-admin-password"  # noqa: S105

Say = Callable[[str], object]


def migrate(*, say: Say) -> None:
    """The tables as this version needs them, and the audit trail append-only, which somebody may have ended.

    Raises `RestoreUnfinished` where a restore did not end.
    """
    unfinished.check_none()
    missing = triggers.missing(connection)
    call_command("migrate", interactive=False, verbosity=0)
    if missing:
        audit.record(
            by=system(COMMAND), action="audit.protect", object="audit:trail", project=None, before={"missing": missing}
        )
        say(
            f"The audit trail could be changed: triggers were missing or disabled ({', '.join(missing)}). "
            "They are back. Run manage.py verify_audit."
        )


def prepare(*, say: Say, is_terminal: bool, key_is_lost: bool = False) -> None:
    """Make what is missing; a second run changes nothing. The database is migrated already.

    A password is said only on a terminal. A bad environments.yml is said and the last applied declaration stays in
    force; at the first start there is none, and its `Problem` is raised. So is `OtherInstallationKey`, unless that key
    `is_lost`: a start that did not know it would seal again, under its own, what it finds in the file.
    """
    if key_is_lost:
        keys.begin_anew(by=system(COMMAND))
    keys.check_installation_key()
    home.generate_variables(settings.CONTROLPLANE_HOME)
    Project.objects.get_or_create(name=project.DEFAULT)
    keys.ensure_signing(by=system(COMMAND))
    _roles()
    _administrator(say, is_terminal)
    _environments(say)
    _pipelines(say)


@transaction.atomic
def _roles() -> None:
    """The built-in roles; grants that a later version knows are given to those who may do everything."""
    roles.lock_access()
    for each in Project.objects.order_by("pk"):
        roles.ensure_built_in(project=each, by=system(COMMAND))


def keep_database_private() -> None:
    """Of SQLite's file: hashes and sealed secrets are in it. What SQLite puts beside it gets the same mode."""
    name = str(settings.DATABASES["default"]["NAME"])
    # The name of one in memory says so, as a URL or by itself.
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") and "memory" not in name.partition(":")[2]:
        path = Path(name)
        for file in (path, *path.parent.glob(f"{path.name}-*")):
            home.keep_private(file)


def _administrator(say: Say, is_terminal: bool) -> None:
    shown = ""
    with transaction.atomic():
        # Held until the end, so that of several processes that start at once one makes the administrator.
        Project.objects.select_for_update(no_key=True).get(name=project.DEFAULT)
        if users.has_administrator():
            return
        password = settings.CONTROLPLANE_ADMIN_PASSWORD or secrets.token_urlsafe(16)
        users.create_administrator(password=password, by=system(COMMAND))
        if settings.CONTROLPLANE_ADMIN_PASSWORD:
            shown = "has the password of CONTROLPLANE_ADMIN_PASSWORD"
        elif is_terminal:
            shown = f"has the password {password} (shown this once)"
        else:
            shown = f"has the password in {_keep(password)}"
    say(f"The administrator {users.ADMINISTRATOR} {shown}.")


def _keep(password: str) -> Path:
    """The file that holds the password; one of an earlier database is out of date."""
    path: Path = settings.CONTROLPLANE_HOME / PASSWORD_FILE
    path.unlink(missing_ok=True)
    home.create_private(path, f"{password}\n")
    return path


def _environments(say: Say) -> None:
    # The first start made variables after the settings were read.
    variables = home.generated_variables(settings.CONTROLPLANE_HOME) | settings.VARIABLES
    try:
        declared = spec.load(settings.CONTROLPLANE_ENVIRONMENTS, variables)
        synced = declaration.sync(declaration=declared, by=system(FILE))
    except Problem as problem:
        if not declaration.was_applied():
            raise
        say(f"{problem.detail}\nThe environments stay as they were. Mend the file, then run sync_environments.")
        return
    for sentence in synced.sentences():
        say(sentence)


def _pipelines(say: Say) -> None:
    """A bad pipelines.yml stops no start: nothing serves by it, and what was applied last stays in force."""
    try:
        declared = pipeline_spec.load(settings.CONTROLPLANE_PIPELINES)
        synced = pipeline_declaration.sync(declaration=declared, by=system(FILE))
    except Problem as problem:
        say(f"{problem.detail}\nThe pipelines stay as they were. Mend the file, then run sync_pipelines.")
        return
    for sentence in synced.sentences():
        say(sentence)
