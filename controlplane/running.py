"""`manage.py up`: prepare, see that everything can start, then run it all until it is told to stop."""

import fcntl
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connections

from accounts import scrubbing
from accounts.models import User
from accounts.problems import SecretUnreadable
from controlplane import broker, home, local_rasa, ports, programs, rasa_install
from controlplane.bootstrap import PASSWORD_FILE
from controlplane.celery import app
from controlplane.supervisor import Output, Program, Supervisor
from environments import local_servers
from environments.actions import users
from environments.models import Environment

ANNOUNCED_WITHIN = 60.0

Extra = Callable[[str], Sequence[Program]]


class CannotStart(Exception):
    """Nothing was started; the message says why and what to do."""


@contextmanager
def alone() -> Iterator[None]:
    """One `up` for each home: two would run every worker twice and take each other's ports."""
    folder = Path(settings.CONTROLPLANE_HOME)
    with (folder / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CannotStart(
                f"`up` runs already for {folder} (process {file.read().strip() or 'unknown'}). "
                "Stop it first, or use another CONTROLPLANE_HOME."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def prepare(out: Output, *, keep_password: bool) -> None:
    """Database, keys, administrator, environments.yml.

    In a process of its own: it makes variables that the settings of this one were read without.
    """
    command = [sys.executable, "manage.py", "prepare"]
    # A terminal that is handed on is shown the first password, once; else it is kept in a file.
    piped = None if out.isatty() and not keep_password else subprocess.PIPE
    done = subprocess.run(command, cwd=settings.BASE_DIR, stdout=piped, text=True, check=False)  # noqa: S603
    out.write(done.stdout or "")
    if done.returncode:
        raise CannotStart("The control plane could not be prepared; the lines above say why.")


def _wanted_ports(host: str, port: int, environments: Sequence[Environment]) -> list[ports.Wanted]:
    cure = "Stop what listens there, or take another one: `manage.py up --port N`."
    wanted = [ports.Wanted(host, port, "the control plane", cure)]
    for environment in environments:
        address = urlsplit(environment.url).hostname or "localhost"
        purpose = f"the Rasa server of {environment.name}"
        cure = f"Stop what listens there, change the url of {environment.name} in environments.yml, or say --no-rasa."
        address = "127.0.0.1" if address == "localhost" else address
        wanted.append(ports.Wanted(address, local_rasa.port_of(environment), purpose, cure))
    return wanted


def _rasa_of(environments: Sequence[Environment]) -> str | None:
    """What is missing to run the Rasa servers, noted for the pages; None if nothing is."""
    if environments and not rasa_install.is_installed(settings.CONTROLPLANE_RASA_HOME):
        try:
            rasa_install.check_installed(settings.CONTROLPLANE_RASA_HOME)
        except rasa_install.RasaMissing as missing:
            local_servers.note_missing(str(missing), list(environments))
            return str(missing)
    local_servers.note_present()
    return None


def _prepare_broker() -> None:
    if settings.CELERY_BROKER_URL.startswith("filesystem:"):
        broker.clear_leftovers(settings.BROKER_FOLDER)
        broker.declare_queues(app)


def sign_in(url: str, *, shown: bool = False) -> str:
    """How to sign in. The password itself goes to a terminal only, never to a log."""
    path = Path(settings.CONTROLPLANE_HOME) / PASSWORD_FILE
    if not _still_opens(path):
        how = f"its password (`manage.py changepassword {users.ADMINISTRATOR}` sets another)"
    elif shown:
        how = f"the password {path.read_text().strip()}"
    else:
        how = f"the password in {path}"
    return f"Open {url} and sign in as {users.ADMINISTRATOR} with {how}."


def _still_opens(path: Path) -> bool:
    """Whether the file holds the administrator's password: it stays as it was made when another is chosen."""
    admin = User.objects.named(users.ADMINISTRATOR).first()
    return path.exists() and admin is not None and admin.check_password(path.read_text().strip())


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _announce(say: Callable[[str], None], own_url: str, line: str) -> None:
    """Say where it is once it answers."""
    deadline = time.monotonic() + ANNOUNCED_WITHIN
    while time.monotonic() < deadline and not answers(own_url):
        time.sleep(0.2)
    say(line)


def nothing(url: str) -> Sequence[Program]:
    return []


def up(
    *, host: str, port: int, with_rasa: bool, out: Output, extra: Extra = nothing, keep_password: bool = False
) -> int:
    """Run everything until a signal comes or one of the `extra` programs decides; the exit status.

    `extra` gets the address of the control plane. Raises `CannotStart` before anything was started.
    """
    with alone():
        prepare(out, keep_password=keep_password)
        # The first start made some after the settings were read.
        scrubbing.know(home.generated_variables(settings.CONTROLPLANE_HOME).values())
        environments = local_servers.local_environments() if with_rasa else []
        missing = _rasa_of(environments)
        if missing:
            environments = []
        try:
            ports.check(_wanted_ports(host, port, environments))
        except ports.PortTaken as taken:
            raise CannotStart(str(taken)) from taken
        _prepare_broker()
        own_url = f"http://{_reachable(host)}:{port}"
        url = f"http://localhost:{port}"
        try:
            servers = _rasa_programs(environments, own_url)
        except SecretUnreadable as unreadable:
            raise CannotStart(unreadable.detail) from None
        running = programs.all_of(host, port, url) + servers + list(extra(own_url))
        how = sign_in(url)
        connections.close_all()
        supervisor = Supervisor(running, out)
        if missing:
            for line in missing.splitlines():
                supervisor.log.say(line)
        announcement = (supervisor.log.say, own_url, how)
        threading.Thread(target=_announce, args=announcement, daemon=True).start()
        return supervisor.run()


def _reachable(host: str) -> str:
    """The address by which this machine reaches a server that listens on `host`."""
    own = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
    return own.get(host, f"[{host}]" if ":" in host else host)


def _rasa_programs(environments: Sequence[Environment], web_url: str) -> list[Program]:
    return [
        local_rasa.program(
            environment,
            web_url=web_url,
            rasa_home=settings.CONTROLPLANE_RASA_HOME,
            folder=programs.folder_of_rasa(local_rasa.name_of(environment)),
        )
        for environment in environments
    ]
