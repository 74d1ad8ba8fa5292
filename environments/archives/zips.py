"""A zip of an unpacked model, as the scripts of the Rasa Platform send it, repacked as the tar.gz Rasa loads.

The same files give the same bytes, in whatever order and with whatever times they were zipped.
"""

import contextlib
import errno
import gzip
import io
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from environments import errors
from environments.archives.limits import Limits
from environments.archives.paths import Seen, normalised, shown
from environments.archives.streams import CHUNK, Readable, check_packed_size, check_unpacked_size

MAGIC = b"PK\x03\x04"
# What each entry of the directory begins with.
ENTRY = b"PK\x01\x02"
ENCRYPTED = 0x1
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Of the directory at the end of a zip, which is read into memory whole: bytes per member that may be there.
DIRECTORY_BYTES = 256
LEVEL = 6


@contextlib.contextmanager
def repacked(stream: Readable, limits: Limits, folder: Path | None) -> Iterator[BinaryIO]:
    """The tar.gz, at its beginning. `folder` is where it is kept meanwhile, without a name."""
    with tempfile.TemporaryFile(dir=folder) as zipped, tempfile.TemporaryFile(dir=folder) as archive:
        _spool(stream, cast(BinaryIO, zipped), limits.packed)
        with _unreadable_told():
            _repack(cast(BinaryIO, zipped), cast(BinaryIO, archive), limits)
        archive.seek(0)
        yield cast(BinaryIO, archive)


def _spool(stream: Readable, into: BinaryIO, most: int) -> None:
    size = 0
    while data := stream.read(CHUNK):
        size += len(data)
        check_packed_size(size, most)
        into.write(data)
    into.flush()


@contextlib.contextmanager
def _unreadable_told() -> Iterator[None]:
    """`zipfile` says in many ways that a file is not what it should be."""
    unreadable = errors.NotGzipTar(
        "The zip is damaged. Upload it again, or upload the .tar.gz that `rasa train` wrote."
    )
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError) as error:
        raise unreadable from error
    except OSError as error:
        # A position before the beginning, or content shorter than was said; anything else is a fault of the machine.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise unreadable from error


class _Bounded(io.BufferedReader):
    """Refuses to read the directory of a zip that has too many entries: `zipfile` would make an object of each.

    The directory is the only thing that is read in pieces of more than `CHUNK`.
    """

    def __init__(self, file: BinaryIO, members: int) -> None:
        super().__init__(cast(io.RawIOBase, file))
        self._members = members

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > max(CHUNK, self._members * DIRECTORY_BYTES):
            raise self._too_many()
        data = super().read(size)
        if len(data) > CHUNK and data.count(ENTRY) > self._members:
            raise self._too_many()
        return data

    def _too_many(self) -> errors.TooManyMembers:
        return errors.TooManyMembers(
            f"The zip has more than {self._members} members. Zip a smaller model, or raise MAX_MODEL_ENTRIES."
        )


def _repack(zipped: BinaryIO, archive: BinaryIO, limits: Limits) -> None:
    if not zipfile.is_zipfile(zipped):
        raise errors.ArchiveTruncated("The zip is cut off before its end. Upload the whole file.")
    bounded = _Bounded(zipped, limits.members)
    try:
        with zipfile.ZipFile(bounded) as source:
            files = _checked(source.infolist(), limits)
            _write(source, files, archive)
    finally:
        bounded.detach()


def _checked(entries: list[zipfile.ZipInfo], limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """The files by their normalised names, sorted; folders say nothing that the files do not."""
    seen = Seen(limits.members)
    files: dict[str, zipfile.ZipInfo] = {}
    unpacked = 0
    for entry in entries:
        # `filename` is the name cut at the first NUL.
        name = normalised(entry.orig_filename)
        seen.add(name)
        _check_kind(entry)
        unpacked += entry.file_size
        check_unpacked_size(unpacked, limits.unpacked)
        if not entry.is_dir():
            files[name] = entry
    return dict(sorted(files.items()))


def _check_kind(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise errors.UnsafeMember(
            f"The member {shown(entry.orig_filename)} is a link or a device. Zip the model with plain files only."
        )
    if entry.flag_bits & ENCRYPTED or entry.compress_type not in METHODS:
        raise errors.UnsafeMember(
            f"The member {shown(entry.orig_filename)} is encrypted, or packed by a method other than deflate. "
            "Zip the model again, without a password."
        )


def _write(source: zipfile.ZipFile, files: dict[str, zipfile.ZipInfo], archive: BinaryIO) -> None:
    """As Rasa packs a model: a root member with an empty name, then folders and files."""
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=archive, mtime=0, compresslevel=LEVEL) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for folder in sorted({str(parent) for name in files for parent in PurePosixPath(name).parents}):
            member = tarfile.TarInfo("" if folder == "." else folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        for name, entry in files.items():
            member = tarfile.TarInfo(name)
            member.size = entry.file_size
            with source.open(entry) as content:
                tar.addfile(member, content)
