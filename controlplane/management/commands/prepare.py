from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from accounts.problems import Problem
from controlplane import bootstrap, schema


class Command(BaseCommand):
    help = "Migrate the database and make keys, the administrator and the environments of environments.yml."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--key-is-lost",
            action="store_true",
            help="go on with this installation key though the secrets of the database are sealed under another one, "
            "which is lost for good",
        )

    def handle(self, *args: Any, key_is_lost: bool, **options: Any) -> None:
        bootstrap.keep_database_private()
        say = self.stdout.write
        try:
            with schema.alone(say=say):
                bootstrap.migrate(say=say)
                bootstrap.prepare(say=say, is_terminal=self.stdout.isatty(), key_is_lost=key_is_lost)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
