import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from controlplane import demonstration, running


class Command(BaseCommand):
    help = "Run the control plane with real Rasa servers and do the main job on the bundled assistant."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="end afterwards, with exit status 0 or a clear error")
        parser.add_argument("--port", type=int, default=5002, help="of the pages and the API (default 5002)")

    def handle(self, *args: Any, **options: Any) -> None:
        os.environ["CONTROLPLANE_ENVIRONMENTS"] = str(settings.BASE_DIR / "demo" / "environments.yml")
        try:
            status = demonstration.run(port=options["port"], stays=not options["check"], out=self.stdout)
        except running.CannotStart as refused:
            raise CommandError(str(refused)) from refused
        if status:
            raise SystemExit(status)
