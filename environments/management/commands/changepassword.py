"""`manage.py changepassword`: in place of Django's, which tells nobody and leaves tokens of `/api/auth` open."""

from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actor import COMMAND, system
from accounts.models import User
from accounts.problems import Problem
from environments.actions import users


class Command(BaseCommand):
    help = "Give a person another password, which is asked for. Their sessions and tokens of /api/auth end."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.named(options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']}.")
        new = getpass(f"New password of {user.username}: ")
        if getpass("The same again: ") != new:
            raise CommandError("The two are not the same. Nothing was changed.")
        try:
            users.set_password(user=user, new=new, by=system(COMMAND))
        except Problem as problem:
            raise CommandError(problem.detail) from None
        self.stdout.write(f"{user.username} has another password. Sessions have ended; API tokens go on.")
