"""`manage.py createsuperuser`: in place of Django's, which knows nothing of roles, one more administrator."""

import os
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actor import COMMAND, system
from accounts.problems import Problem
from environments.actions import users


class Command(BaseCommand):
    help = "Make somebody who administers every project. The password is asked for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", help="asked for where it is left out")
        parser.add_argument("--email", default="")
        parser.add_argument(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="asks",
            help="ask nothing: --username, and the password in the variable DJANGO_SUPERUSER_PASSWORD",
        )

    def handle(self, *args: Any, username: str | None, email: str, asks: bool, **options: Any) -> None:
        username = username or (input("User name: ") if asks else "")
        password = self._asked(username) if asks else os.environ.get("DJANGO_SUPERUSER_PASSWORD", "")
        try:
            made = users.add_administrator(username=username, password=password, email=email, by=system(COMMAND))
        except Problem as problem:
            raise CommandError(problem.detail) from None
        self.stdout.write(f"{made.username} administers every project.")

    @staticmethod
    def _asked(username: str) -> str:
        password = getpass(f"Password of {username}: ")
        if getpass("The same again: ") != password:
            raise CommandError("The two are not the same. Nobody was made.")
        return password
