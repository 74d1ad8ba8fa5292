import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from controlplane.backups import BackupError, taking
from controlplane.backups.taking import Options, Summary
from controlplane.management.progress import teller
from environments.clients.storage import StorageError

STDOUT = "-"


class Command(BaseCommand):
    help = "Write the whole installation into one file, while it runs. Whoever has the file has its secrets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="where to; - is the standard output")
        parser.add_argument(
            "--without-keys",
            action="store_true",
            help="leave out the installation key and generated.env: without them secrets cannot be read back",
        )
        parser.add_argument(
            "--without-archives",
            action="store_true",
            help="leave out the bytes of models and bundles, which are kept elsewhere",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = Options(keys=not options["without_keys"], archives=not options["without_archives"])
        try:
            summary = self._take(options["file"], chosen)
        except BackupError as error:
            raise CommandError(str(error)) from error
        except (StorageError, OSError) as error:
            raise CommandError(
                f"No backup was taken: {error}. Make room, or look at the disk, and do it again."
            ) from error
        self._tell(summary, options["file"])

    def _take(self, name: str, options: Options) -> Summary:
        say = teller(self.stderr)
        if name == STDOUT:
            return taking.take(sys.stdout.buffer, options=options, say=say)
        with taking.target(Path(name)) as file:
            return taking.take(file, options=options, say=say)

    def _tell(self, summary: Summary, name: str) -> None:
        self.stderr.write(
            f"{sum(summary.rows.values())} rows, {summary.models} models and {summary.bundles} bundles, "
            f"{summary.bytes / 1024**2:.1f} MB, as of {summary.made_at}: {name}"
        )
        for what in summary.lacking:
            self.stderr.write(f"Not in it, because its bytes are damaged or gone: {what}")
