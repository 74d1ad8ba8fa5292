"""Where bytes are kept, each file under the SHA-256 of its content. Knows no Django, and not what the bytes mean.

`Storage` is what any store must do; the contract tests run against each of them. `DiskStorage` keeps a folder.
"""

import contextlib
import errno
import fcntl
import hashlib
import io
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol, cast

logger = logging.getLogger(__name__)

# Of a store that cannot be written now, and may be another time.
UNUSABLE = frozenset(
    {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR, errno.EISDIR, errno.ESTALE}
    | {errno.ENOENT, errno.EMFILE, errno.ENFILE}
)

# Characters.
MARK = 16

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class StorageError(Exception):
    """The store could not do what was asked."""


class StorageFull(StorageError):
    """No space, or the quota is used up."""


class StorageUnusable(StorageError):
    """It cannot be written: read-only, no permission, a disk that fails."""


class StorageMissing(StorageError):
    """Nothing is stored under this hash."""


class StorageDamaged(StorageError):
    """What is stored under this hash no longer hashes to it."""


class Incoming(Protocol):
    """Bytes on their way in; left without `commit`, nothing of them is kept."""

    def write(self, data: bytes, /) -> object: ...

    def sync(self) -> None:
        """Make what was written durable. `commit` does it too; called before, it keeps `commit` short."""
        ...

    def commit(self, sha256: str) -> None:
        """Show the bytes under their hash, at once and whole, in place of what was there. Survives a power cut."""
        ...


class Storage(Protocol):
    """Immutable bytes by their hash. Every method may raise `StorageError`."""

    def receive(self) -> AbstractContextManager[Incoming]: ...

    def open(self, sha256: str) -> BinaryIO:
        """A seekable reader of bytes that were verified to hash to `sha256`.

        Raises `StorageMissing` or `StorageDamaged`; never gives other bytes.
        """
        ...

    def delete(self, sha256: str) -> None:
        """Forget the bytes; whoever reads them reads on. Deleting what is not there is no error."""
        ...

    def hashes(self) -> Iterator[str]:
        """What is stored, in no order."""
        ...

    def sweep(self, keep: Collection[str], older_than: timedelta) -> int:
        """Remove leftovers of uploads, and bytes whose hash is not in `keep`; only what is older. How many it were.

        Bytes that are committed anew meanwhile stay, whatever `keep` says. Nothing goes while the store is held.
        """
        ...

    def held(self) -> AbstractContextManager[None]:
        """No sweep removes anything while the block lasts, in no process; it begins when the one that goes on ends."""
        ...

    def scrub(self) -> Iterator[str]:
        """Read everything that is stored; the hashes of what is damaged."""
        ...

    def mark(self) -> str:
        """What the store calls itself since it was first asked: who is told another mark sees another store."""
        ...


@contextlib.contextmanager
def full_disk_told() -> Iterator[None]:
    """Turn the operating system's words for a full disk or quota into `StorageFull`, for others `StorageUnusable`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(os.strerror(error.errno)) from error
        if error.errno in UNUSABLE:
            raise StorageUnusable(os.strerror(error.errno or 0)) from error
        raise


Identity = tuple[int, int, int, int]


class _Sound(io.FileIO):
    """A file that was verified. Reading it on after it was changed raises `StorageDamaged`: who reads it cannot see
    that it ended as another one than it began, and would take it for whole."""

    def __init__(self, path: Path, sha256: str) -> None:
        super().__init__(path)
        self._sha256 = sha256
        self._identity: Identity | None = None

    def verified(self, identity: Identity) -> None:
        self._identity = identity
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self._identity is not None and identity_of(self) != self._identity:
            raise StorageDamaged(self._sha256)
        return data


class _IncomingFile:
    def __init__(self, storage: "DiskStorage", path: Path) -> None:
        self._storage = storage
        self._path = path
        self._file = path.open("xb", buffering=0)
        self._synced = False

    def write(self, data: bytes, /) -> int:
        with full_disk_told():
            # An unbuffered write may take less than it was given, as when the disk is nearly full.
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._synced = False
        return len(data)

    def sync(self) -> None:
        with full_disk_told():
            os.fsync(self._file.fileno())
        self._synced = True

    def commit(self, sha256: str) -> None:
        if not self._synced:
            self.sync()
        # The age of a stored file counts from now, however long the upload took.
        os.utime(self._file.fileno())
        self._storage.take_in(self._path, sha256)

    def close(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class DiskStorage:
    """A folder: `<sha256>` for what is stored, `incoming/` for what is on its way.

    A file is verified when it is first opened and again when its identity (device, inode, size, time of change)
    is another one. `lock` keeps the sweeper of one process from removing what another has just committed, and holds
    the folder's mark; `held` keeps sweeps from removing anything.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # What was found at the last look at each file: its identity, and whether it was sound.
        self._looked_at: dict[str, tuple[Identity, bool]] = {}
        self._verifying: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._has_mark = False

    @property
    def _incoming(self) -> Path:
        return self.folder / "incoming"

    def _path(self, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise ValueError(f"{sha256!r} is not a SHA-256 in lower-case hexadecimal digits")
        return self.folder / sha256

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _sync_folder(self) -> None:
        with full_disk_told():
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextlib.contextmanager
    def receive(self) -> Iterator[Incoming]:
        with full_disk_told():
            self._incoming.mkdir(parents=True, exist_ok=True)
            incoming = _IncomingFile(self, self._incoming / secrets.token_hex(16))
        try:
            yield incoming
        finally:
            incoming.close()

    def take_in(self, path: Path, sha256: str) -> None:
        """Move a file that is durable onto its hash, durably."""
        with self._lock(), full_disk_told():
            path.rename(self._path(sha256))
        self._sync_folder()

    def open(self, sha256: str) -> BinaryIO:
        try:
            file = _Sound(self._path(sha256), sha256)
        except FileNotFoundError:
            raise StorageMissing(sha256) from None
        try:
            self._verify(file, sha256)
        except BaseException:
            file.close()
            raise
        return cast(BinaryIO, file)

    def _verify(self, file: _Sound, sha256: str) -> None:
        with self._guard:
            verifying = self._verifying.setdefault(sha256, threading.Lock())
        # Many servers ask for a new model at once: one of them reads it, the others wait for the result.
        with verifying:
            identity, (seen, sound) = identity_of(file), self._looked_at.get(sha256, (None, False))
            if seen != identity:
                sound = _is_sound(file, sha256)
                self._looked_at[sha256] = identity, sound
        if not sound:
            raise StorageDamaged(sha256)
        file.verified(identity)

    def delete(self, sha256: str) -> None:
        self._path(sha256).unlink(missing_ok=True)
        if self.folder.exists():
            self._sync_folder()

    def hashes(self) -> Iterator[str]:
        if self.folder.exists():
            yield from (path.name for path in self.folder.iterdir() if SHA256.fullmatch(path.name))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        with self._holding(fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def _holding(self, how: int) -> Iterator[None]:
        """A lock that whoever holds it loses with its life. Several may hold it shared; a sweep needs it alone."""
        with full_disk_told():
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "held").open("ab")
        with file:
            fcntl.flock(file, how)
            yield

    def sweep(self, keep: Collection[str], older_than: timedelta) -> int:
        if not self.folder.exists():
            return 0
        try:
            with self._holding(fcntl.LOCK_EX | fcntl.LOCK_NB):
                return self._sweep(keep, older_than)
        except BlockingIOError:
            return 0

    def _sweep(self, keep: Collection[str], older_than: timedelta) -> int:
        before = time.time() - older_than.total_seconds()
        unwanted = [self.folder / sha256 for sha256 in self.hashes() if sha256 not in keep]
        leftovers = list(self._incoming.iterdir()) if self._incoming.exists() else []
        return sum(self._remove_if_older(path, before) for path in [*unwanted, *leftovers])

    def _remove_if_older(self, path: Path, before: float) -> bool:
        with self._lock(), contextlib.suppress(FileNotFoundError):
            # Nobody but a person makes a folder here.
            if path.stat().st_mtime < before and not path.is_dir():
                path.unlink()
                return True
        return False

    def mark(self) -> str:
        with full_disk_told():
            if not self._has_mark:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._make_mark()
                self._has_mark = True
            # A folder that is away now, such as one that is not mounted, is not made anew in its place.
            return (self.folder / "lock").read_text()

    def _make_mark(self) -> None:
        path = self.folder / "lock"
        # Whoever only reads it waits for no lock.
        if path.exists() and path.read_text():
            return
        with self._lock(), path.open("r+") as file:
            if not file.read(MARK):
                file.write(secrets.token_hex(MARK // 2))

    def scrub(self) -> Iterator[str]:
        for sha256 in self.hashes():
            try:
                sound = self._look_at(sha256)
            except FileNotFoundError:
                continue  # What is deleted meanwhile is not damaged.
            except OSError as error:
                # Nor is what cannot be opened now; it must not keep the others from being read.
                logger.warning("%s cannot be read: %s", sha256, error.strerror)
                continue
            if not sound:
                yield sha256

    def _look_at(self, sha256: str) -> bool:
        with self._path(sha256).open("rb") as file:
            identity, sound = identity_of(file), _is_sound(file, sha256)
        self._looked_at[sha256] = identity, sound
        return sound


def identity_of(file: io.IOBase) -> Identity:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _is_sound(file: io.FileIO | io.BufferedReader, sha256: str) -> bool:
    try:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        # The disk itself cannot read it back.
        return False
