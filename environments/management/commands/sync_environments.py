from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.actions import keys
from accounts.actor import FILE, system
from accounts.problems import Problem
from environments import spec
from environments.actions import declaration


class Command(BaseCommand):
    help = "Apply environments.yml (or the file that CONTROLPLANE_ENVIRONMENTS names) to the database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="say what would change, and change nothing")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        try:
            keys.check_installation_key()
            declared = spec.load(settings.CONTROLPLANE_ENVIRONMENTS, settings.VARIABLES)
            with transaction.atomic():
                synced = declaration.sync(declaration=declared, by=system(FILE))
                transaction.set_rollback(check)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        for sentence in synced.sentences():
            self.stdout.write(f"would be {sentence}" if check else sentence)
        if not any(synced.sentences()):
            self.stdout.write("nothing to change")
