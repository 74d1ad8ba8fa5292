import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management import BaseCommand, CommandError
from django.db import DatabaseError

from accounts.actor import COMMAND, system
from controlplane.backups import BackupError
from controlplane.backups.restoring import Restore, Summary
from controlplane.management.commands.backup import STDOUT as STDIN
from controlplane.management.progress import teller
from environments.actions import restores
from environments.clients.storage import StorageError

AGAIN = "What was begun is not whole and nothing starts on it. Cure that, then run this again; it begins anew."


class Command(BaseCommand):
    help = "Make an installation of a backup, in an empty database. Its environments are frozen until somebody decides."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="what `manage.py backup` wrote; - is the standard input")
        parser.add_argument(
            "--moving",
            action="store_true",
            help="the installation goes on here as it stood, and nothing changed since: nothing is frozen",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["file"] == STDIN:
            self._restore(sys.stdin.buffer, moving=options["moving"])
            return
        try:
            with Path(options["file"]).open("rb") as file:
                self._restore(file, moving=options["moving"])
        except FileNotFoundError as error:
            raise CommandError(f"There is no file {options['file']}.") from error

    def _restore(self, file: BinaryIO, *, moving: bool) -> None:
        def finish(made_at: str) -> None:
            (restores.move if moving else restores.take_over)(made_at=made_at, by=system(COMMAND))

        try:
            summary = Restore(file, finish, teller(self.stderr)).run()
        except BackupError as error:
            raise CommandError(str(error)) from error
        except (StorageError, DatabaseError, OSError) as error:
            raise CommandError(f"It cannot be restored: {error}. {AGAIN}") from error
        self._tell(summary, moving=moving)

    def _tell(self, summary: Summary, *, moving: bool) -> None:
        self.stdout.write(
            f"Everything is there as of {summary.made_at}: {summary.rows} rows, {summary.models} models and "
            f"{summary.bundles} bundles with the bytes they had, {summary.tags} tags, {summary.events} sealed audit "
            "events."
        )
        for doubt in summary.doubts:
            self.stdout.write(f"! {doubt}")
        if not moving:
            self.stdout.write(
                "Its environments are frozen: no server changes its model. Start it, let the servers poll, see "
                "`manage.py status`, and decide on the page of each, or with `manage.py resume`."
            )
