"""`manage.py create_token`: an API token for scripts, alone on standard output."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actions import api_tokens
from accounts.actor import COMMAND, system
from accounts.models import User


class Command(BaseCommand):
    help = "Create an API token of a user and print it, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", required=True, help="what the token is for, such as ci")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['username']}.")
        if not 1 <= len(options["name"]) <= 100:
            raise CommandError("--name takes 1 to 100 characters.")
        _, secret = api_tokens.create(user=user, name=options["name"], by=system(COMMAND))
        self.stdout.write(secret)
