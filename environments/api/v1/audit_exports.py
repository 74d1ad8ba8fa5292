"""The audit trail as a file, streamed: CSV for spreadsheets, NDJSON for programs."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from accounts.models import AuditEvent
from accounts.problems import Busy
from environments.api.limits import DOWNLOADS
from environments.api.v1.paging import before

CHUNK = 500
# What a spreadsheet takes for the beginning of a formula; the last four are the wide forms of = + - @.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
MEMBERS = ("id", "at", "actor", "action", "object", "before", "after", "address", "via", "token")

Chunks = Iterator[list[AuditEvent]]


def document(event: AuditEvent) -> dict[str, Any]:
    """The event as lists and exports tell it."""
    members = {name: getattr(event, name) for name in MEMBERS}
    at = event.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return members | {"id": str(event.pk), "at": at}


def newest_first(rows: QuerySet[AuditEvent]) -> Chunks:
    """All rows, a chunk in memory at a time; what comes meanwhile is not among them."""
    ordered = rows.order_by("-at", "-pk")
    chunk = list(ordered[:CHUNK])
    while chunk:
        yield chunk
        if len(chunk) < CHUNK:
            return
        chunk = list(ordered.filter(before("at", chunk[-1].at, chunk[-1].pk))[:CHUNK])


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    lines = io.StringIO()
    csv.writer(lines).writerows([[_cell(value) for value in row] for row in rows])
    return lines.getvalue().encode()


def as_csv(chunks: Chunks) -> Iterator[bytes]:
    yield _csv([MEMBERS])
    for chunk in chunks:
        yield _csv(document(event).values() for event in chunk)


def as_ndjson(chunks: Chunks) -> Iterator[bytes]:
    for chunk in chunks:
        yield "".join(f"{json.dumps(document(event), ensure_ascii=False)}\n" for event in chunk).encode()


FORMS: dict[str, tuple[str, Callable[[Chunks], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "ndjson": ("application/x-ndjson", as_ndjson),
}


class _Export:
    """The bytes, and one of the slots of downloads until they are sent or the client is gone."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._holds = DOWNLOADS.try_acquire()
        if not self._holds:
            raise Busy("Too many downloads at a time. Try again in a few seconds.")

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        holds, self._holds = self._holds, False
        if holds:
            DOWNLOADS.release()

    __del__ = close


def export(rows: QuerySet[AuditEvent], form: str, name: str) -> StreamingHttpResponse:
    """All of `rows` as an attachment. Raises `Busy`."""
    content_type, pieces = FORMS[form]
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": f'attachment; filename="{name}.{form}"',
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(_Export(pieces(newest_first(rows))), headers=headers)
