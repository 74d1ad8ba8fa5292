"""A PostgreSQL cluster of a test's own, which may be stopped and started again."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests import live, services


def programs() -> Path | None:
    """Where the newest version keeps its programs: Debian has them outside of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


class Cluster:
    """It lets this machine in. As root it runs as the user postgres, for it refuses root."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.folder, self.port = folder, live.free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._pg_ctl = [str(binaries / "pg_ctl"), "-s", "-D", str(folder / "data")]

    def _run(self, *arguments: str) -> None:
        command = [*self._as_postgres, *self._pg_ctl, *arguments]
        # Its server would keep a pipe open.
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, check=False, timeout=120)
        assert done.returncode == 0, (self.folder / "log").read_text()[-2000:]

    def make(self) -> None:
        self._run("initdb", "-o", "--auth=trust --username=postgres")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._options = ["-w", "-l", str(self.folder / "log"), "-o", options]
        self._run("start", *self._options)

    def restart(self, mode: str) -> None:
        """`fast` ends connections and writes everything down; after `immediate` it recovers, as after a crash."""
        self._run("restart", "-m", mode, *self._options)

    def stop(self) -> None:
        self._run("stop", "-m", "immediate")


@contextmanager
def cluster() -> Iterator[Cluster]:
    binaries = programs()
    if binaries is None:
        (pytest.fail if services.required() else pytest.skip)("no pg_ctl was found; install postgresql")
    # Not among pytest's folders, which are their owner's alone.
    folder = Path(mkdtemp(prefix="cluster-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    made = Cluster(binaries, folder)
    try:
        made.make()
        yield made
        made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
