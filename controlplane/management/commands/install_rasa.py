from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from controlplane import rasa_install


class Command(BaseCommand):
    help = "Install the stock Rasa server that `up` runs for local environments (needs Python 3.10)."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            rasa_install.install(settings.CONTROLPLANE_RASA_HOME, self.stdout.write)
        except rasa_install.RasaMissing as missing:
            raise CommandError(str(missing)) from missing
