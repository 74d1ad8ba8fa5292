"""An archive as an answer: ETag, `filename`, ranges, and a bounded number of downloads at a time (rasa-facts, 1)."""

import re
from collections.abc import Callable
from typing import BinaryIO, Final

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.actor import RASA_X, system
from accounts.problems import Busy
from environments import stored_models
from environments.api.limits import DOWNLOADS
from environments.errors import RangeNotSatisfiable
from environments.models import TrainedModel

CHUNK: Final = 256 * 1024

_ENTITY_TAG = re.compile(r'(?:W/)?"([^"]*)"|([^\s,"]+)')
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


def nothing() -> None:
    """Nobody asks what became of the transfer."""


def archive_response(
    request: HttpRequest | Request, model: TrainedModel, *, broke_off: Callable[[], None] = nothing
) -> HttpResponseBase:
    """The archive of `model` for GET, its headers for HEAD, 304 to who has it already.

    `broke_off` is called where the client went away before the end.

    Never with a Content-Encoding: Rasa would fail to load it. Raises ArchiveDamaged, RangeNotSatisfiable and, with all
    download slots taken, Busy.
    """
    if has_already(request.headers.get("If-None-Match", ""), model):
        return not_modified(model.etag)
    if model.damaged_at:
        raise stored_models.damaged(model)
    headers = {
        "ETag": model.etag,
        "Cache-Control": "no-cache",
        "filename": model.filename,
        "Accept-Ranges": "bytes",
        "Content-Type": "application/gzip",
        "Content-Disposition": f'attachment; filename="{model.filename}"',
        "Content-Length": str(model.size),
    }
    if request.method == "HEAD":
        stored_models.opened(model, by=system(RASA_X)).close()
        return HttpResponse(headers=headers)
    wanted = _range(request, model)
    if wanted is None:
        return StreamingHttpResponse(_download(model, range(model.size), broke_off), headers=headers)
    headers["Content-Length"] = str(len(wanted))
    headers["Content-Range"] = f"bytes {wanted[0]}-{wanted[-1]}/{model.size}"
    return StreamingHttpResponse(_download(model, wanted, broke_off), status=206, headers=headers)


def not_modified(etag: str) -> HttpResponse:
    response = HttpResponse(status=304, headers={"ETag": etag, "Cache-Control": "no-cache"})
    del response.headers["Content-Type"]
    return response


def has_already(if_none_match: str, model: TrainedModel) -> bool:
    """Whether the header names the model: `*`, or its ETag quoted, bare or weak, alone or in a list."""
    tags = [quoted or bare for quoted, bare in _ENTITY_TAG.findall(if_none_match)]
    return if_none_match.strip() == "*" or model.hash in tags


def _range(request: HttpRequest | Request, model: TrainedModel) -> range | None:
    """The bytes that are asked for; None for all of them, also where several ranges or nonsense are asked for."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    # A condition that is not our ETag to the letter (a weak one, a date) is not met.
    if match is None or not any(match.groups()) or request.headers.get("If-Range", model.etag) != model.etag:
        return None
    first, last = match.groups()
    if not first:
        start, end = max(model.size - int(last), 0), model.size
    else:
        start, end = int(first), min(int(last) + 1, model.size) if last else model.size
        if last and int(last) < start:
            return None
    if start >= end:
        raise RangeNotSatisfiable(
            f"{model.filename} has {model.size} bytes.", headers={"Content-Range": f"bytes */{model.size}"}
        )
    return range(start, end)


class _Download:
    """Bytes of an open archive. Closing it gives the slot back, once; the server does so when the client goes away."""

    def __init__(self, file: BinaryIO, size: int, broke_off: Callable[[], None]) -> None:
        self._file: BinaryIO | None = file
        self._size = self._left = size
        self._broke_off = broke_off

    def __iter__(self) -> "_Download":
        return self

    def __next__(self) -> bytes:
        data = self._file.read(min(CHUNK, self._left)) if self._file else b""
        if not data:
            raise StopIteration
        self._left -= len(data)
        return data

    def close(self) -> None:
        if self._give_back() and 0 < self._left < self._size:
            self._broke_off()

    def _give_back(self) -> bool:
        file, self._file = self._file, None
        if file:
            DOWNLOADS.release()
            file.close()
        return file is not None

    # May run at any moment in any thread, so it asks for no lock that somebody may hold for long.
    __del__ = _give_back


def _download(model: TrainedModel, wanted: range, broke_off: Callable[[], None]) -> _Download:
    if not DOWNLOADS.try_acquire():
        raise Busy("Too many downloads at a time. Try again in a few seconds.")
    try:
        file = stored_models.opened(model, by=system(RASA_X))
        file.seek(wanted.start)
    except BaseException:
        DOWNLOADS.release()
        raise
    return _Download(file, len(wanted), broke_off)
