"""`manage.py reset_password`: a link by which somebody sets another password, alone on standard output."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actor import COMMAND, system
from accounts.models import User
from accounts.problems import Problem
from environments.actions import users


class Command(BaseCommand):
    help = "End a person's password and sessions, and print a link by which they set another password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.named(options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']}.")
        try:
            path = users.reset(user=user, by=system(COMMAND))
        except Problem as problem:
            raise CommandError(problem.detail) from None
        self.stderr.write("Their password and sessions have ended. This link works once, for three days:")
        self.stdout.write(f"{settings.PUBLIC_URL}{path}")
