"""`manage.py import_rasa_x`: copy models, roles and users of a Rasa X server."""

import getpass
import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actor import COMMAND, Actor
from accounts.models import Project, User
from environments.clients import rasa_x
from environments.clients.rasa_x import RasaXClient, RasaXError
from environments.management.rasa_x_import import Import

TOKEN, PASSWORD = "RASA_X_IMPORT_TOKEN", "RASA_X_IMPORT_PASSWORD"  # names of variables


class Command(BaseCommand):
    help = (
        "Copy models with their tags, roles, and users with their roles from Rasa X or Rasa Enterprise. Passwords "
        "cannot be read there: people are invited. Run it again after an interruption: it goes on where it stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", required=True, help="the address of Rasa X, such as https://rasa-x.example.com")
        parser.add_argument("--token", default="", help=f"of a user there; better in {TOKEN}, where no list shows it")
        parser.add_argument("--username", default="", help=f"sign in there; the password is asked for, or {PASSWORD}")
        parser.add_argument("--from-project", default="default", help="the project there (default: default)")
        parser.add_argument("--project", default="default", help="the project here (default: default)")
        parser.add_argument("--promote", action="store_true", help="promote to environments that have no model yet")
        parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and change nothing")
        parser.add_argument("--invitations", type=Path, help="file for links (default: invitations.txt in the home)")
        parser.add_argument("--by", default="admin", metavar="USERNAME", help="who acts, held to their permissions")

    def handle(self, *args: Any, **options: Any) -> None:
        by, project = _actor(options["by"]), _project(options["project"])
        if not by.sees(project):
            raise CommandError(f"There is no project {options['project']}.")
        invitations = options["invitations"] or Path(settings.CONTROLPLANE_HOME) / "invitations.txt"
        _check_writable(invitations)
        try:
            client = RasaXClient(options["url"], self._token(options), options["from_project"])
            work = Import(
                client=client,
                project=project,
                by=by,
                tell=self._tell,
                progress=self._progress,
                invitations=invitations,
                promote=options["promote"],
                dry_run=options["dry_run"],
            )
            try:
                work.run()
            finally:
                self._summarise(work)
        except RasaXError as error:
            raise CommandError(str(error)) from None

    def _token(self, options: dict[str, Any]) -> str:
        if options["username"]:
            password = os.environ.get(PASSWORD) or self._ask("Password at Rasa X: ")
            return rasa_x.sign_in(options["url"], options["username"], password)
        return options["token"] or os.environ.get(TOKEN) or self._ask("Token of Rasa X: ")

    def _ask(self, what: str) -> str:
        if not sys.stdin.isatty():
            raise CommandError(f"Give a token in {TOKEN}, or --username with the password in {PASSWORD}.")
        return getpass.getpass(what)

    def _tell(self, line: str) -> None:
        clear = "\r\033[K" if self.stdout.isatty() else ""
        self.stdout.write(f"{clear}{line}")

    def _progress(self, line: str) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r\033[K{line}", ending="")
            self.stdout.flush()

    def _summarise(self, work: Import) -> None:
        self.stdout.write("")
        for line in work.summary.lines(foreseen=work.dry_run):
            self.stdout.write(line)
        if work.invitations.exists():
            self.stdout.write(f"Links for people to choose a password are in {work.invitations}. Hand them out.")


def _actor(username: str) -> Actor:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user {username}. Name one with --by.")
    return Actor(user=user, via=COMMAND)


def _project(name: str) -> Project:
    project = Project.objects.filter(name=name).first()
    if project is None:
        raise CommandError(f"There is no project {name}.")
    return project


def _check_writable(path: Path) -> None:
    """Before anything is copied, not after."""
    if path.exists() and path.stat().st_mode & 0o077:
        raise CommandError(f"Others may read {path}: links in it open accounts. Run chmod 600 on it, or name another.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise CommandError(f"{path} cannot be written. Name another file with --invitations.")
