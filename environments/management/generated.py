"""Files that are generated from the code: a command writes each, and with `--check` tells if it is up to date."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser


class GeneratorCommand(BaseCommand):
    """Writes `path`, relative to the repository, with the text of `text()`."""

    path: str
    requires_system_checks: list[str] = []

    def text(self) -> str:
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail if the file is not up to date")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        file = settings.BASE_DIR / self.path
        text = self.text()
        if file.exists() and file.read_text() == text:
            return
        if check:
            name = self.__module__.rsplit(".", 1)[-1]
            raise CommandError(f"{self.path} is not up to date. Run: .venv/bin/python manage.py {name}")
        file.write_text(text)
        self.stdout.write(f"{self.path} was written.")
