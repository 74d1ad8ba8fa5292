"""The files of a Rasa project in and out of an archive (zip or tar.gz), bounded. To judge them, nothing is unpacked to
disk; `extract` does it for a program that needs them there.

What the files mean is `bundles`' business; archives of trained models are `archives`'.
"""

import contextlib
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from environments.errors import BundleInvalid

# Never part of a project: version control, byte code, environments, what operating systems and editors leave behind.
JUNK_FOLDERS = frozenset({"__pycache__", "venv", "node_modules", "__MACOSX"})
# At the project's root only: trained archives, and what `rasa test` wrote.
JUNK_AT_ROOT = frozenset({"models", "results"})
TEXT_SUFFIXES = frozenset({".yml", ".yaml", ".json"})

# Of all headers of one member, and of one read: members are read in small pieces.
MAX_TAR_HEADERS = 1024**2
PIECE = 64 * 1024
EPOCH = (1980, 1, 1, 0, 0, 0)

# Relative path → its bytes, or None for a file that is not YAML or JSON.
Files = dict[str, bytes | None]


@dataclass(frozen=True)
class Limits:
    """`unpacked` and `text` in bytes: of all members, and of those that are read into memory."""

    entries: int = 20_000
    unpacked: int = 1024**3
    text: int = 32 * 1024**2


@dataclass(frozen=True)
class Entry:
    """One member. `kind` is file, folder, or the word for what is not taken; `pieces` reads its bytes."""

    name: str
    kind: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


def is_junk(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part in JUNK_FOLDERS for part in path.parts)


def unpack(file: BinaryIO, limits: Limits) -> Files:
    """The files of a seekable zip or tar.gz, junk left out. Raises BundleInvalid."""
    with _damage_told(file):
        return _collect(_wanted(_entries(file, limits), limits), limits)


def extract(file: BinaryIO, folder: Path, limits: Limits) -> list[str]:
    """Write the same files below `folder`, which is there and empty; their paths.

    Raises BundleInvalid, and OSError where the disk cannot take them.
    """
    paths = []
    with _damage_told(file):
        for path, entry in _wanted(_entries(file, limits), limits):
            _write(folder / path, entry)
            paths.append(str(path))
    return paths


def _write(target: Path, entry: Entry) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as written:
            for piece in entry.pieces():
                written.write(piece)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise BundleInvalid(f"{entry.name} is a file and a folder in the archive. Pack the project again.") from error


@contextlib.contextmanager
def _damage_told(file: BinaryIO) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error) as error:
        raise _damaged(error) from error
    except (RuntimeError, NotImplementedError, ValueError, OverflowError) as error:
        # zipfile's words for: encrypted, an unknown method, offsets outside the file.
        raise _damaged(error) from error
    except OSError as error:
        if error.errno is None or isinstance(file, io.BytesIO):
            raise _damaged(error) from error
        raise


def _damaged(error: Exception) -> BundleInvalid:
    return BundleInvalid(f"The archive cannot be read ({str(error)[:200]}). Pack the project again and send it whole.")


def _entries(file: BinaryIO, limits: Limits) -> Iterator[Entry]:
    file.seek(0)
    magic = file.read(4)
    file.seek(0)
    if magic[:2] == b"PK":
        return _zip_entries(file, limits)
    if magic[:2] == b"\x1f\x8b":
        return _tar_entries(file, limits)
    raise BundleInvalid("This is neither a zip nor a tar.gz. Pack the project's folder as one of them.")


def _wanted(entries: Iterator[Entry], limits: Limits) -> Iterator[tuple[PurePosixPath, Entry]]:
    """The files that a project keeps, each path once."""
    seen: set[PurePosixPath] = set()
    count = unpacked = 0
    for entry in entries:
        count, unpacked = count + 1, unpacked + entry.size
        if count > limits.entries:
            raise _too_many(limits)
        if unpacked > limits.unpacked:
            raise BundleInvalid(f"The archive unpacks to more than {limits.unpacked} bytes. Leave large files out.")
        path = _safe_path(entry.name)
        if entry.kind == "folder" or is_junk(path):
            continue
        if entry.kind != "file":
            raise BundleInvalid(f"{path} is {entry.kind}. Put the file itself into the archive.")
        if path in seen:
            raise BundleInvalid(f"{path} is in the archive twice. Pack the project again.")
        seen.add(path)
        yield path, entry


def _collect(wanted: Iterator[tuple[PurePosixPath, Entry]], limits: Limits) -> Files:
    files: Files = {}
    text = 0
    for path, entry in wanted:
        if path.suffix.lower() not in TEXT_SUFFIXES or path.parts[0] in JUNK_AT_ROOT:
            files[str(path)] = None
            continue
        text += entry.size
        if text > limits.text:
            raise BundleInvalid(f"The YAML and JSON files are larger than {limits.text} bytes together.")
        files[str(path)] = b"".join(entry.pieces())
    return files


def _too_many(limits: Limits) -> BundleInvalid:
    return BundleInvalid(f"The archive has more than {limits.entries} members. Pack the project's own files alone.")


def _safe_path(name: str) -> PurePosixPath:
    """The path as it is kept. Judged as sent: a path out of the folder is refused, never repaired."""
    path = PurePosixPath(name)
    unsafe = path.is_absolute() or ".." in path.parts or "\\" in name or name[1:2] == ":"
    if unsafe or not name.isprintable():
        raise BundleInvalid(f"The path {name[:200]!r} is not safe. Use relative paths with '/' and without '..'.")
    return path


# zip


def _zip_entries(file: BinaryIO, limits: Limits) -> Iterator[Entry]:
    _check_zip_directory(file, limits)
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            yield Entry(info.filename, _zip_kind(info), info.file_size, partial(_zip_pieces, archive, info))


def _zip_pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as content:
        while piece := content.read(PIECE):
            yield piece


def _zip_kind(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 0x1:
        return "encrypted"
    mode = info.external_attr >> 16
    if info.is_dir():
        return "folder"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a link or a device"
    return "file"


def _check_zip_directory(file: BinaryIO, limits: Limits) -> None:
    """zipfile reads the whole table of contents before it says how long it is: look at its length first."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - 65_600))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("its end is missing")
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    if tail[at - 20 : at - 16] == b"PK\x06\x07" or size > limits.entries * 512:
        raise _too_many(limits)
    file.seek(max(0, end - len(tail) + at - size))
    if file.read(size).count(b"PK\x01\x02") > limits.entries:
        raise _too_many(limits)
    file.seek(0)


# tar.gz


class _Unzipped(io.RawIOBase):
    """What tarfile reads: gzip's output, bounded, so that neither a bomb nor a forged header fills the memory."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")
        self._limit = limit
        self._left = MAX_TAR_HEADERS

    def refill(self) -> None:
        """Said after each member and each piece of one: tarfile follows a chain of headers however long it is, and
        keeps what each of them says."""
        self._left = MAX_TAR_HEADERS

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._left:
            raise tarfile.ReadError("a header is too large")
        self._left -= size
        self._check(self._gzip.tell() + size)
        return self._gzip.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._check(offset)
        return self._gzip.seek(offset, whence)

    def tell(self) -> int:
        return self._gzip.tell()

    def _check(self, position: int) -> None:
        if position > self._limit:
            raise BundleInvalid("The archive unpacks to too much. Leave large files out.")


def _tar_entries(file: BinaryIO, limits: Limits) -> Iterator[Entry]:
    # Each member has at most a few kilobytes of headers and padding beside its content.
    unzipped = _Unzipped(file, limits.unpacked + limits.entries * 4096 + MAX_TAR_HEADERS)
    with tarfile.open(fileobj=unzipped, mode="r:") as archive:
        while (member := archive.next()) is not None:
            yield Entry(
                member.name or ".", _tar_kind(member), member.size, partial(_tar_pieces, archive, unzipped, member)
            )
            # It keeps every member, with all that its headers said.
            archive.members.clear()  # type: ignore[attr-defined]  # its documented attribute
            unzipped.refill()


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "folder"
    return "file" if member.isreg() and not member.issparse() else "a link or a device"


def _tar_pieces(archive: tarfile.TarFile, unzipped: _Unzipped, member: tarfile.TarInfo) -> Iterator[bytes]:
    content = archive.extractfile(member)
    while content and (piece := content.read(PIECE)):
        yield piece
        unzipped.refill()


# Packing


def pack(folder: Path) -> bytes:
    """The project in `folder` as a zip: the same files give the same bytes, junk left out, links to files followed."""
    packed = io.BytesIO()
    pack_files(_files_in(folder), packed)
    return packed.getvalue()


def is_packed(path: PurePosixPath) -> bool:
    """Whether the file is a project's own."""
    return not is_junk(path) and path.parts[0] not in JUNK_AT_ROOT


def pack_files(files: Iterable[tuple[str, bytes]], into: BinaryIO) -> None:
    """The files, whose paths are in their order, as a zip. Raises BundleInvalid where a path is none for a bundle."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files:
            info = zipfile.ZipInfo(str(_safe_path(path)), EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content)


def _files_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        if path.is_file() and is_packed(relative):
            yield str(relative), path.read_bytes()
