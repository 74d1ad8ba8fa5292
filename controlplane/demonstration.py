"""`manage.py demo`: everything that `up` runs, and beside it the main job, done over HTTP with an API token."""

import sys
from collections.abc import Sequence

from django.conf import settings
from django.db import connection

from accounts.actions import api_tokens
from accounts.actor import COMMAND, Actor
from accounts.models import ApiToken, User
from controlplane import local_rasa, rasa_install, running
from controlplane.supervisor import Output, Program
from environments.actions import users
from environments.local_servers import is_local
from environments.models import Replica

SCRIPT = "demo/main_job.py"
HOST = "127.0.0.1"
TOKEN_NAME = "demo"  # noqa: S105


def check_home() -> None:
    """The demo declares its own servers as production, experimental and worker: never in a home that others use."""
    if Replica._meta.db_table not in connection.introspection.table_names():
        return
    replicas = Replica.objects.remembered().exclude(name=local_rasa.REPLICA).select_related("environment")
    foreign = next((replica for replica in replicas if not is_local(replica.environment.url)), None)
    if foreign is not None:
        raise running.CannotStart(
            f"Rasa servers poll this installation ({foreign.name} of {foreign.environment.name}), and the demo would "
            "declare its own in their place. Give it a home of its own: CONTROLPLANE_HOME=var/demo make demo."
        )


def token() -> str:
    """A new token of the administrator; those of earlier runs end."""
    administrator = User.objects.get(username=users.ADMINISTRATOR)
    by = Actor(user=administrator, via=COMMAND)
    for earlier in ApiToken.objects.usable().filter(user=administrator, name=TOKEN_NAME):
        api_tokens.revoke(token=earlier, by=by)
    _, secret = api_tokens.create(user=administrator, name=TOKEN_NAME, by=by)
    return secret


def _main_job(url: str, afterwards: Sequence[str], *, stays: bool) -> Program:
    """The steps as a program of their own, which has nothing but the address and a token."""
    environment = {"CONTROLPLANE_URL": url, "CONTROLPLANE_TOKEN": token(), "PYTHONUNBUFFERED": "1"}
    return Program(
        "demo",
        [sys.executable, SCRIPT],
        environment=environment,
        folder=settings.BASE_DIR,
        once=True,
        stays=stays,
        afterwards=afterwards,
    )


def run(*, port: int, stays: bool, out: Output) -> int:
    """The exit status: 0 where the main job was done. With `stays`, everything runs on until it is stopped.

    Without Rasa the main job cannot be done: a check is refused, a demo shows the rest.
    """
    check_home()
    can_run = True
    try:
        rasa_install.install(settings.CONTROLPLANE_RASA_HOME, lambda text: out.write(f"{text}\n"))
    except rasa_install.RasaMissing as missing:
        can_run = False
        if not stays:
            raise running.CannotStart(str(missing)) from missing

    def beside(url: str) -> Sequence[Program]:
        sign_in = running.sign_in(f"http://localhost:{port}", shown=out.isatty())
        afterwards = [sign_in, "Ctrl-C stops everything."] if stays else []
        return [_main_job(url, afterwards, stays=stays)] if can_run else []

    return running.up(host=HOST, port=port, with_rasa=True, out=out, extra=beside, keep_password=True)
