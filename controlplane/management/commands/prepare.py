from typing import Any

from django.core.management import BaseCommand, CommandError, call_command

from accounts.problems import Problem
from controlplane import bootstrap


class Command(BaseCommand):
    help = "Migrate the database and make keys, the administrator and the environments of environments.yml."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        try:
            bootstrap.prepare(say=self.stdout.write, is_terminal=self.stdout.isatty())
        except Problem as problem:
            raise CommandError(problem.detail) from problem
