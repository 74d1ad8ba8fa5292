"""The folder of one run of a local Rasa: its home, its temporary files and what it works on. Gone when the run is over.

It belongs to the user Rasa runs as, who may put anything there, links too: nothing is opened by a path through it.
"""

import errno
import fcntl
import logging
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from workers.machine_accounts import Account

logger = logging.getLogger(__name__)

PREFIX = "run-"
PARTS = ("home", "tmp", "work")
# A folder is locked at once after it was made; what is older and not locked is what a killed worker left.
LEFTOVER_SECONDS = 60.0


class RootUnsafe(Exception):
    """The folder for runs is not one that others cannot change; the message says what to do."""


class Workspace:
    """`lock` is open as long as the run goes on, in every process that belongs to it."""

    def __init__(self, folder: Path, lock: int, account: Account | None) -> None:
        self.folder, self.lock, self.account = folder, lock, account
        for part in PARTS:
            (folder / part).mkdir(mode=0o700)
            self._give(folder / part)
        self._give(folder)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}

    def create(self, name: str) -> BinaryIO:
        """A new file to work on, given away when it is closed. Only before the program runs."""
        file = (self.work / name).open("xb")
        self._give(self.work / name)
        return file

    def listed(self, folder: str) -> list[str]:
        """The names in a folder that the program made; none where it made no such folder."""
        try:
            descriptor = self._opened(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return []
        try:
            return sorted(os.listdir(descriptor))
        finally:
            os.close(descriptor)

    def open(self, path: str) -> BinaryIO:
        """A plain file that the program made. Raises FileNotFoundError for a link, a device or another's file too."""
        descriptor = self._opened(path, os.O_RDONLY | os.O_NONBLOCK)
        state = os.fstat(descriptor)
        owner = self.account.uid if self.account else os.geteuid()
        if not stat.S_ISREG(state.st_mode) or state.st_uid != owner:
            os.close(descriptor)
            raise FileNotFoundError(errno.ENOENT, "not a file that the program made", path)
        return os.fdopen(descriptor, "rb")

    def _opened(self, path: str, flags: int) -> int:
        """`path` below the work folder, through no link at any step."""
        at = os.open(self.work, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        *folders, name = path.split("/")
        for part in folders:
            at = _step(at, part, os.O_RDONLY | os.O_DIRECTORY)
        return _step(at, name, flags)

    def _give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)


def _step(at: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    except OSError as error:
        raise FileNotFoundError(errno.ENOENT, "not a file that the program made", name) from error
    finally:
        os.close(at)


@contextmanager
def opened(root: Path, account: Account | None) -> Iterator[Workspace]:
    """A fresh workspace below `root`, gone at the end with all that is in it. Raises RootUnsafe and OSError."""
    prepare(root, account)
    sweep(root)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Workspace(folder, lock, account)
    finally:
        remove(folder)
        os.close(lock)


def prepare(root: Path, account: Account | None) -> None:
    """Another user must get through it, and nobody but this one may put or replace a folder there."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = root.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise RootUnsafe(
            f"{root} is not a folder that belongs to the control plane's user and that nobody else can write. Remove "
            "it, or name another one in TRAINING_FOLDER."
        )
    if account:
        root.chmod(0o711)


def sweep(root: Path, older_than: float = LEFTOVER_SECONDS) -> int:
    """Remove what killed workers left; how many folders it were. What a living process holds stays."""
    if not root.is_dir():
        return 0
    before = time.time() - older_than
    swept = sum(_swept(folder, before) for folder in root.glob(f"{PREFIX}*"))
    if swept:
        logger.info("%d folders of runs whose worker was killed were swept", swept)
    return swept


def _swept(folder: Path, before: float) -> bool:
    with suppress(OSError):
        if folder.lstat().st_ctime > before:
            return False
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return remove(folder)
        finally:
            os.close(lock)
    return False


def remove(folder: Path) -> bool:
    """Follows no links. What cannot be removed now is tried again by the next sweep."""
    with suppress(OSError, RecursionError):
        shutil.rmtree(folder)
        return True
    # Folders that nobody may read, or that lie deeper than Python goes.
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*command, "--", str(folder)], stderr=subprocess.DEVNULL, check=False)  # noqa: S603
    if folder.exists():
        logger.warning("the folder %s of a run could not be removed; the next sweep tries again", folder)
    return not folder.exists()
