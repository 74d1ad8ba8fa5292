"""Uploads: one file of a multipart body, streamed from the socket. The caller has authorised the request before.

Django's own parser must not touch such a body: it repairs hostile file names silently, buffers, and takes a chunked
body for an empty one. Here a name arrives as it was sent, and memory stays flat whatever the size.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeAlias, cast

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header
from rest_framework.request import Request

from accounts.problems import Busy
from environments.api.limits import UPLOADS
from environments.errors import LengthRequired, UploadIncomplete, UploadMalformed, UploadTooLarge

CHUNK: Final = 256 * 1024
# What form fields, part headers and boundaries may add to the file.
MAX_OVERHEAD: Final = 64 * 1024
MAX_PARTS: Final = 100
# A refused upload is read on to its end if no more than this is left: a client that is still sending when the
# connection closes sees a reset, not the refusal.
LINGER: Final = 64 * 1024**2

_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:\\.|[^"\\])*"|[^\s;"]*)\s*', re.DOTALL)


class _Body:
    """The request's body up to its declared length."""

    def __init__(self, request: WSGIRequest, length: int) -> None:
        self._stream = request.environ["wsgi.input"]
        self.left = length

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, b"" at the end of the body; refuses a body that ends before its length."""
        size = min(size, self.left)
        if not size:
            return b""
        try:
            data: bytes = self._stream.read(size)
        except OSError:
            data = b""
        if not data:
            raise UploadIncomplete(f"The connection ended {self.left} bytes before the upload did. Send it again.")
        self.left -= len(data)
        return data

    def linger(self) -> None:
        while self.left and self.left <= LINGER and self.read(CHUNK):
            pass


class Upload:
    """The file of an upload. `fields` are the form fields before it, `filename` is the name as sent, never cleaned."""

    def __init__(self, fields: dict[str, list[str]], filename: str, content: Iterator[bytes]) -> None:
        self.fields = fields
        self.filename = filename
        self._content = content
        self._buffer = bytearray()

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end. b"" also says that the body was complete and held no more."""
        while len(self._buffer) < size and (chunk := next(self._content, None)) is not None:
            self._buffer += chunk
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


@contextmanager
def receive(request: HttpRequest | Request, *, field: str, max_bytes: int) -> Iterator[Upload]:
    """The upload in the file field `field` of at most `max_bytes`; nothing of the body was read before.

    Form fields come before the file, and nothing after it. Raises LengthRequired, UploadTooLarge, UploadMalformed,
    UploadIncomplete, the last three also while the file is read, and with all upload slots taken, Busy.
    """
    plain = cast(WSGIRequest, request._request if isinstance(request, Request) else request)
    body = _Body(plain, _declared_length(plain, max_bytes))
    if not UPLOADS.try_acquire():
        raise Busy("Too many uploads at a time. Try again in a few seconds.")
    try:
        parts = _parts(body, _boundary(plain))
        fields, filename, content = _up_to_file(parts, field)
        yield Upload(fields, filename, _to_the_end(content, parts, max_bytes))
    except UploadIncomplete:
        raise
    except Exception:
        body.linger()
        raise
    finally:
        UPLOADS.release()


def is_multipart(request: HttpRequest | Request) -> bool:
    return str(parse_options_header(request.META.get("CONTENT_TYPE", ""))[0]) == "multipart/form-data"


def _declared_length(request: HttpRequest, max_bytes: int) -> int:
    text = request.META.get("CONTENT_LENGTH") or ""
    if "HTTP_TRANSFER_ENCODING" in request.META or not re.fullmatch(r"[0-9]{1,18}", text):
        raise LengthRequired(
            "Send the upload with a Content-Length, not in chunks: curl does so unless it reads a pipe."
        )
    if int(text) > max_bytes + MAX_OVERHEAD:
        raise _too_large(max_bytes)
    return int(text)


def _too_large(max_bytes: int) -> UploadTooLarge:
    return UploadTooLarge(
        f"At most {max_bytes} bytes are taken. An administrator can raise the limit.", limit=max_bytes
    )


def _boundary(request: HttpRequest) -> str:
    kind, options = parse_options_header(request.META.get("CONTENT_TYPE", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise UploadMalformed("Send the file as multipart/form-data, as curl does with -F.")
    return str(options["boundary"])


Event: TypeAlias = MultipartSegment | bytes | None
Part: TypeAlias = tuple[str, str | None, Iterator[bytes]]


def _events(body: _Body, boundary: str) -> Iterator[Event]:
    """A segment, its bytes, and None, for each part."""
    try:
        parser = PushMultipartParser(boundary, max_segment_count=MAX_PARTS)
        yield from parser.parse_blocking(body.read, CHUNK)
    except ParserLimitReached as error:
        raise UploadMalformed(f"The multipart body has too many or too long headers or parts: {error}.") from error
    except MultipartError as error:
        raise UploadMalformed(f"The multipart body cannot be read: {error}.") from error


def _parts(body: _Body, boundary: str) -> Iterator[Part]:
    """Field name, file name (None: a form field) and content of each part; the content is read before the next."""
    events: Iterator[Any] = _events(body, boundary)
    for segment in events:
        yield (*_names(segment), iter(partial(next, events), None))


def _up_to_file(parts: Iterator[Part], field: str) -> tuple[dict[str, list[str]], str, Iterator[bytes]]:
    """The form fields before the file, its name as sent and its content."""
    fields: dict[str, list[str]] = {}
    room = MAX_OVERHEAD
    for name, filename, content in parts:
        if filename is None and name != field:
            text = _text(name, content, room)
            room -= len(text)
            fields.setdefault(name, []).append(text)
        elif name != field:
            raise UploadMalformed(f"The file is in the field {name[:80]!r}. Send it in the field {field}.")
        elif filename is None:
            raise UploadMalformed(f"The field {field} has no file name. Send it as a file.")
        else:
            return fields, filename, content
    raise UploadMalformed(f"There is no file in the field {field}.", fields=sorted(fields))


def _text(name: str, content: Iterator[bytes], room: int) -> str:
    text = bytearray()
    for piece in content:
        text += piece
        if len(text) > room:
            raise UploadMalformed(f"The form fields before the file are longer than {MAX_OVERHEAD} bytes.")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise UploadMalformed(f"The field {name[:80]!r} is not UTF-8.") from error


def _to_the_end(content: Iterator[bytes], parts: Iterator[Part], max_bytes: int) -> Iterator[bytes]:
    """The file in pieces; ends only if the body does so after it."""
    size = 0
    for piece in content:
        size += len(piece)
        if size > max_bytes:
            raise _too_large(max_bytes)
        yield piece
    for name, filename, _ in parts:
        if filename is not None:
            raise UploadMalformed("There are several files. Send one file per upload.")
        raise UploadMalformed(f"The field {name[:80]!r} follows the file. Send form fields before the file.")


def _names(segment: MultipartSegment) -> tuple[str, str | None]:
    """The field name and the file name (None: a form field) of a part, to the letter: no unescaping, no paths cut off.

    The parser's own reading of them repairs `C:\\evil` and percent signs. An RFC 5987 `filename*`, which multipart
    bodies must not have, stands for a name that is not plain, and stays encoded.
    """
    headers = [value for name, value in segment.headerlist if name == "Content-Disposition"]
    parameters: dict[str, str] = {}
    position = headers[0].find(";")
    while match := _PARAMETER.match(headers[0], position):
        key, value = match[1].lower(), match[2]
        if key in parameters:
            break
        parameters[key] = value[1:-1] if value.startswith('"') else value
        position = match.end()
    if len(headers) > 1 or position != len(headers[0]) or "name" not in parameters:
        raise UploadMalformed("A part has an unreadable Content-Disposition header.")
    return parameters["name"], parameters.get("filename", parameters.get("filename*"))
