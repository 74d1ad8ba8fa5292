from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from controlplane import running


class Command(BaseCommand):
    help = "Run the control plane: web, workers, beat, and a Rasa server for each environment of this machine."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=5002, help="of the pages and the API (default 5002)")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--no-rasa", action="store_true", help="start no Rasa server")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            status = running.up(
                host=options["host"],
                port=options["port"],
                with_rasa=not options["no_rasa"],
                out=self.stdout,
            )
        except running.CannotStart as refused:
            raise CommandError(str(refused)) from refused
        if status:
            raise SystemExit(status)
