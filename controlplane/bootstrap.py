"""What every start needs and the first one makes: keys, the default project, the administrator, the environments."""

import secrets
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import transaction

from accounts.actions import users
from accounts.actor import COMMAND, FILE, system
from accounts.models import Project, project
from accounts.problems import Problem
from controlplane import home
from environments import spec
from environments.actions import declaration

PASSWORD_FILE = "initial-admin-password"  # noqa: S105

Say = Callable[[str], object]


def prepare(*, say: Say, is_terminal: bool) -> None:
    """Make what is missing; a second run changes nothing. The database is migrated already.

    A password is said only on a terminal. A bad environments.yml is said and the last applied declaration stays in
    force; at the first start there is none, and its `Problem` is raised.
    """
    home.generate_variables(settings.CONTROLPLANE_HOME)
    Project.objects.get_or_create(name=project.DEFAULT)
    _administrator(say, is_terminal)
    _environments(say)


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
