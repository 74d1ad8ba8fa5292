"""Requests as this application reads them: text is UTF-8, and no header can make a request that cannot be answered."""

from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIEnvironment

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.core.handlers.wsgi import LimitedStream, WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

from environments.api.limits import BODIES


class TooManyBodies(OSError):
    """Django tells it on as it does a connection that broke."""


class _Body:
    """The body of a request, of which so many are read at a time and no more: granian waits for the next bytes for
    ever, and clients that never send them would take every thread from the polls of Rasa servers."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, *size: int) -> bytes:
        return self._in_turn(self._stream.read, *size)

    def readline(self, *size: int) -> bytes:
        return self._in_turn(self._stream.readline, *size)

    def _in_turn(self, read: Callable[..., bytes], *size: int) -> bytes:
        if not BODIES.try_acquire():
            raise TooManyBodies("Too many requests at a time are slow to send their body. Try again in a few seconds.")
        try:
            return read(*size)
        finally:
            BODIES.release()


class SmallFormsAlone(FileUploadHandler):
    """Refuses a form with files that is longer than any form may be, before a byte of it is read. Django would write
    its files to the disk, whoever sent them and however many, to find the field by which CSRF is checked."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig


class Request(WSGIRequest):
    """Django's own takes the query for text of the body's `charset`, whatever that names, and fails before any error
    handler at a Content-Type that it cannot read."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        super().__init__(environ)
        # Uploads read the stream itself, under a limit of their own.
        body: Any = _Body(environ["wsgi.input"])
        self._stream: Any = LimitedStream(body, self._stream.limit)

    def _set_content_type_params(self, meta: WSGIEnvironment) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except Exception:  # the email package, which reads it, promises nothing of what it raises
            meta["CONTENT_TYPE"] = self.content_type = ""
            self.content_params = {}


class Handler(WSGIHandler):
    request_class = Request
