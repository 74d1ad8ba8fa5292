"""The bytes of an archive, packed and unpacked, as they go by."""

import hashlib
import zlib
from typing import Protocol

from environments import errors

CHUNK = 128 * 1024
GZIP_ONLY = 16 + zlib.MAX_WBITS


class Readable(Protocol):
    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, at least one of them unless the end is reached."""
        ...


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Resumed:
    """A stream whose `head` was read already."""

    def __init__(self, head: bytes, stream: Readable) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        if self._head:
            given, self._head = self._head[:size], self._head[size:]
            return given
        return self._stream.read(size)


class Packed:
    """The archive as it is sent: hashed, counted and written through as it is read."""

    def __init__(self, stream: Readable, into: Writable, most: int) -> None:
        self._stream = stream
        self._into = into
        self._most = most
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def read(self) -> bytes:
        data = self._stream.read(CHUNK)
        self.size += len(data)
        check_packed_size(self.size, self._most)
        self._digest.update(data)
        self._into.write(data)
        return data


def check_packed_size(size: int, most: int) -> None:
    if size > most:
        raise errors.UploadTooLarge(
            f"The upload has more than {most} bytes. Upload a smaller model, or raise MAX_MODEL_BYTES."
        )


def check_unpacked_size(size: int, most: int) -> None:
    if size > most:
        raise errors.UnpacksTooLarge(
            f"The archive unpacks to more than {most} bytes. Upload a smaller model, or raise MAX_MODEL_UNPACKED_BYTES."
        )


class Unpacked:
    """The content of one gzip member. `zlib` by itself stops at its end, where Rasa's reader goes on: so nothing may
    come after it."""

    def __init__(self, packed: Packed, most: int) -> None:
        self._packed = packed
        self._most = most
        self._zlib = zlib.decompressobj(GZIP_ONLY)
        self._buffer = b""
        self._size = 0

    @property
    def position(self) -> int:
        """How many bytes were read or skipped."""
        return self._size - len(self._buffer)

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; fewer only where the content ends."""
        pieces: list[bytes] = []
        while size > 0 and (piece := self._take(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        """Read `size` bytes without keeping them; refuses where the content ends before."""
        while size > 0:
            piece = self._take(size)
            if not piece:
                raise cut_off()
            size -= len(piece)

    def finish(self) -> None:
        """Refuse unless only zeros are left, and nothing after them."""
        while piece := self._take(CHUNK):
            if piece.strip(b"\0"):
                raise errors.ArchiveTrailingData(
                    "There is something after the end of the tar. Pack the model again, by itself."
                )
        if self._zlib.unused_data or self._packed.read():
            raise errors.ArchiveTrailingData(
                "There are bytes after the archive, or it has several gzip members. Pack the model again, in one go."
            )

    def _take(self, most: int) -> bytes:
        if not self._buffer:
            self._buffer = self._unpack()
        taken, self._buffer = self._buffer[:most], self._buffer[most:]
        return taken

    def _unpack(self) -> bytes:
        """The next piece, at most `CHUNK` bytes however well they were packed; nothing at the end."""
        while not self._zlib.eof:
            packed = self._zlib.unconsumed_tail or self._packed.read()
            try:
                piece = self._zlib.decompress(packed, CHUNK)
            except zlib.error as error:
                raise self._not_gzip() from error
            if piece:
                self._size += len(piece)
                check_unpacked_size(self._size, self._most)
                return piece
            if not packed and not self._zlib.eof:
                raise cut_off()
        return b""

    def _not_gzip(self) -> errors.NotGzipTar:
        if self._size:
            return errors.NotGzipTar("The compressed data is damaged. Upload the archive again.")
        return errors.NotGzipTar("This is not a gzip file. Upload the .tar.gz that `rasa train` wrote.")


def cut_off() -> errors.ArchiveTruncated:
    return errors.ArchiveTruncated("The archive is cut off before its end. Upload the whole file.")
