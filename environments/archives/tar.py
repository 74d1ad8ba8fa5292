"""A strict reader of tar streams: ustar, PAX and GNU long names; plain files and folders only.

Header blocks are read by `tarfile`, which is what a Rasa server reads them with. Its stream reader is not used: it
takes a damaged header for the end, keeps every member, and reads headers of any size into memory.
"""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from environments import errors
from environments.archives.limits import Limits
from environments.archives.paths import Seen, normalised, shown
from environments.archives.streams import Unpacked, check_unpacked_size, cut_off

BLOCK = tarfile.BLOCKSIZE
LONGEST_EXTENSION = 64 * 1024
PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,6}) ")
PAX_SIZE = re.compile(r"[0-9]{1,18}", re.ASCII)
# Noted among what a PAX header says, under a key that none can have.
PAX_HEADER = ""
UTF8 = "ISO-IR 10646 2000 UTF-8"

UNSAFE_TYPES = {
    tarfile.LNKTYPE: "a link",
    tarfile.SYMTYPE: "a link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


@dataclass(frozen=True)
class Member:
    """A file or folder; `name` is normalised, empty for the root. Its `size` bytes are next in the stream."""

    name: str
    is_folder: bool
    size: int


def members(unpacked: Unpacked, limits: Limits) -> Iterator[Member]:
    """Each member in turn, until the end mark; what the caller does not read of its content is skipped."""
    seen = Seen(limits.members)
    while (header := _next_member(unpacked, seen)) is not None:
        member = _checked(header)
        check_unpacked_size(member.size, limits.unpacked)
        seen.add(member.name)
        end = unpacked.position + member.size
        yield member
        unpacked.skip(end - unpacked.position + _padding(member.size))


def _padding(size: int) -> int:
    return -size % BLOCK


def _header(unpacked: Unpacked) -> tarfile.TarInfo | None:
    """The next header block; None at the end mark. The stream must not end without one."""
    first = unpacked.position == 0
    block = unpacked.read(BLOCK)
    if len(block) < BLOCK:
        raise cut_off() if block or not first else _not_tar()
    if not block.strip(b"\0"):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise (_not_tar() if first else _damaged()) from error


def _next_member(unpacked: Unpacked, seen: Seen) -> tarfile.TarInfo | None:
    """The header of the next file or folder, with what extension headers before it say of its name and size."""
    said: dict[str, str] = {}
    while (header := _header(unpacked)) is not None:
        if header.type == tarfile.XGLTYPE:
            seen.count()
            _check_global(_pax_records(_extension(unpacked, header)))
        elif header.type == tarfile.XHDTYPE:
            # A chain of them would fill the memory, and `tarfile` goes one call deeper at each.
            _add(said, {PAX_HEADER: "", **_pax_records(_extension(unpacked, header))})
        elif header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            key = "path" if header.type == tarfile.GNUTYPE_LONGNAME else "linkpath"
            _add(said, {key: _text(_extension(unpacked, header).partition(b"\0")[0])})
        else:
            return _extended(header, said)
    if said:
        raise cut_off()
    return None


def _extension(unpacked: Unpacked, header: tarfile.TarInfo) -> bytes:
    if not 0 <= header.size <= LONGEST_EXTENSION:
        raise errors.UnsafeMember(
            f"The archive has an extension header of {header.size} bytes. Pack the model again, without attributes."
        )
    content = unpacked.read(header.size)
    unpacked.skip(header.size - len(content) + _padding(header.size))
    return content


def _pax_records(content: bytes) -> dict[str, str]:
    """The records `<length> <key>=<value>\\n` of a PAX header, whose form leaves no room for a second reading."""
    records: dict[str, str] = {}
    while content:
        length = PAX_LENGTH.match(content)
        end = int(length[1]) if length else 0
        if length is None or not length.end() < end <= len(content) or content[end - 1 : end] != b"\n":
            raise _damaged()
        key, equals, value = content[length.end() : end - 1].partition(b"=")
        if not key or not equals:
            raise _damaged()
        _add(records, {_text(key): value.decode("utf-8", "surrogateescape")})
        content = content[end:]
    return records


def _add(records: dict[str, str], more: dict[str, str]) -> None:
    if records.keys() & more.keys():
        raise errors.UnsafeMember(
            "The archive says the same of a member twice, so that readers may differ. Pack the model again."
        )
    records |= more


def _check_global(records: dict[str, str]) -> None:
    """A global header speaks of every member after it: comments are harmless, names and sizes are not."""
    if not records.keys().isdisjoint({"path", "size", "linkpath", "hdrcharset"}) or _is_sparse(records):
        raise errors.UnsafeMember("The archive names its members in a global header. Pack the model again.")


def _is_sparse(records: dict[str, str]) -> bool:
    return any(key.startswith("GNU.sparse.") for key in records)


def _extended(header: tarfile.TarInfo, said: dict[str, str]) -> tarfile.TarInfo:
    # As tarfile does it: what stands in an extension header ends without slashes, for files too.
    header.name = said["path"].rstrip("/") if "path" in said else header.name
    if _is_sparse(said):
        header.type = tarfile.GNUTYPE_SPARSE
    if said.get("hdrcharset", UTF8) != UTF8:
        raise errors.UnsafePath("The archive's names are not UTF-8. Pack the model again.")
    if "size" in said:
        if not PAX_SIZE.fullmatch(said["size"]):
            raise _damaged()
        header.size = int(said["size"])
    return header


def _checked(header: tarfile.TarInfo) -> Member:
    if header.type in UNSAFE_TYPES:
        raise errors.UnsafeMember(
            f"The member {shown(header.name)} is {UNSAFE_TYPES[header.type]}. Pack the model with plain files only."
        )
    is_folder = header.type == tarfile.DIRTYPE
    if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or (is_folder and header.size):
        raise errors.UnsafeMember(
            f"The member {shown(header.name)} is neither a plain file nor a folder. Pack the model again."
        )
    if header.size < 0:
        raise _damaged()
    name = normalised(header.name)
    if not is_folder and (not name or header.name.endswith("/")):
        raise errors.UnsafePath(f"The file {shown(header.name)} has the name of a folder. Pack the model again.")
    return Member(name, is_folder, header.size)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _not_tar() -> errors.NotGzipTar:
    return errors.NotGzipTar("The gzip file does not hold a tar. Upload the .tar.gz that `rasa train` wrote.")


def _damaged() -> errors.NotGzipTar:
    return errors.NotGzipTar("A header in the tar is damaged. Upload the archive again.")
