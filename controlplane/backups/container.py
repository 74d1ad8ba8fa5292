"""The file of a backup: a tar whose members come in the order in which they are needed. Knows no Django.

    backup.json                    what it is of: format, time, migrations, columns of each table
    tables/<table>/000001.jsonl.gz rows, each a JSON array of the columns' values, in parts of a few megabytes
    keys/…                         the installation key and what the first start made
    archives/<sha256>              trained models
    bundles/<sha256>               what they were trained from
    manifest.json                  SHA-256 and size of every member before it, and what was found when it was taken

It is written and read from the begin to the end, in flat memory, so it can go through a pipe.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from controlplane.backups import BackupError

FORMAT = 1
HEADER, MANIFEST = "backup.json", "manifest.json"
PIECE = 1024 * 1024
# Of what is read whole: a part of a table, the header, the manifest. A row is as large as an archive's metadata.
LONGEST = 512 * 1024**2


class _Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        try:
            data: bytes = self._file.read(size)
        except tarfile.TarError as error:
            raise _damaged("it breaks off") from error
        self._hash.update(data)
        self.size += len(data)
        return data

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class Writer:
    """Writes members to `file`, which need not be seekable. What it has written it tells in the manifest."""

    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - `finish` ends it
        self._members: dict[str, list[Any]] = {}
        self.written = 0

    def add(self, name: str, data: bytes) -> None:
        self.add_file(name, len(data), io.BytesIO(data))

    def add_file(self, name: str, size: int, file: Any) -> str:
        """Copy `size` bytes of `file`; their SHA-256."""
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        hashed = _Hashed(file)
        self._tar.addfile(member, hashed)
        self._members[name] = [hashed.sha256, size]
        self.written += size
        return hashed.sha256

    def finish(self, told: dict[str, Any]) -> None:
        """Write the manifest, with what else is to be `told`, and the end."""
        manifest = json.dumps({**told, "members": self._members}, sort_keys=True).encode()
        self.add(MANIFEST, manifest)
        self._tar.close()


@dataclass
class Member:
    """One member; it must be read before the next one is asked for."""

    name: str
    size: int
    file: _Hashed

    def whole(self) -> bytes:
        if self.size > LONGEST:
            raise BackupError(f"{self.name} is larger than {LONGEST} bytes: this is no file of `manage.py backup`.")
        return self.file.read()

    def json(self) -> Any:
        try:
            return json.loads(self.whole())
        except ValueError as error:
            raise _damaged(f"{self.name} is no JSON") from error


def _damaged(what: str) -> BackupError:
    return BackupError(f"The backup is damaged: {what}. Fetch it again, or take another one.")


class Reader:
    """Reads a backup: first `header`, then `members()`; what they held is compared with the `manifest` at the end."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._tar = tarfile.open(fileobj=file, mode="r|")  # noqa: SIM115 - the file is the caller's
        except tarfile.TarError as error:
            raise BackupError("This is no file of `manage.py backup`, or its begin is damaged.") from error
        self._found: dict[str, list[Any]] = {}
        self._open: Member | None = None
        self.manifest: dict[str, Any] = {}
        self.header = self._header()

    def _header(self) -> dict[str, Any]:
        first = self._next()
        header = first.json() if first and first.name == HEADER else None
        if not isinstance(header, dict) or "format" not in header:
            raise BackupError("This is no file of `manage.py backup`.")
        if header["format"] != FORMAT:
            raise BackupError(
                f"The backup has format {header['format']}, and this version reads {FORMAT}. Use the version of the "
                f"control plane that wrote it ({header.get('version', 'unknown')}), or a newer one."
            )
        return header

    def members(self) -> Iterator[Member]:
        """Those between the header and the manifest. Raises `BackupError` for whatever is not as it was written."""
        while member := self._next():
            if member.name == MANIFEST:
                self.manifest = member.json()
                self._compare()
                return
            yield member
        raise _damaged("it ends before its manifest")

    def _next(self) -> Member | None:
        try:
            self._close()
            info = self._tar.next()
            if info is None:
                return None
            file = self._tar.extractfile(info) if info.isreg() else None
        except (tarfile.TarError, EOFError, OSError) as error:
            raise _damaged(str(error)) from error
        if file is None or info.name in self._found:
            raise _damaged(f"{info.name} does not belong there")
        self._open = Member(info.name, info.size, _Hashed(file))
        return self._open

    def _close(self) -> None:
        """Read the member that is open to its end, and keep what it was."""
        member, self._open = self._open, None
        if member is None:
            return
        while member.file.read(PIECE):
            pass
        if member.file.size != member.size:
            raise tarfile.ReadError(f"{member.name} breaks off")
        self._found[member.name] = [member.file.sha256, member.size]

    def _compare(self) -> None:
        written = self.manifest.get("members", {})
        for name in [*written, *self._found]:
            if written.get(name) != self._found.get(name):
                raise _damaged(f"{name} is not what was written")
