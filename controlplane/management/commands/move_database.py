import os
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from controlplane.backups import BackupError, unfinished

VARIABLE = "NEW_DATABASE_URL"


class Command(BaseCommand):
    help = f"Copy the installation into the empty database that {VARIABLE} names, as from SQLite to PostgreSQL."

    def handle(self, *args: Any, **options: Any) -> None:
        # A variable: an argument would show the password to everybody on the machine.
        url = os.environ.get(VARIABLE)
        if not url:
            raise CommandError(
                f"Say where to: {VARIABLE}=postgres://user:password@host:5432/name manage.py move_database"
            )
        try:
            unfinished.check_stopped()
        except BackupError as error:
            raise CommandError(str(error)) from error
        self._copy(url)
        self.stdout.write(
            "Now name the new database in DATABASE_URL and start again. The old one is as it was: keep it until you "
            "are content."
        )

    def _copy(self, url: str) -> None:
        """One command writes what the other one reads."""
        source = self._start("backup", "-", "--without-keys", "--without-archives", stdout=subprocess.PIPE)
        there = {**os.environ, "DATABASE_URL": url}
        target = self._start("restore", "-", "--moving", stdin=source.stdout, env=there)
        if source.stdout:
            source.stdout.close()  # so that the one hears of the other's end
        if target.wait() | source.wait():
            raise CommandError("Nothing was moved; the lines above say why. The database is as it was.")

    def _start(self, *arguments: str, **how: Any) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=settings.BASE_DIR, **how)  # noqa: S603
