"""Pages of a list, newest first, by cursor: what is added meanwhile shifts nothing."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request

from accounts.problems import BadRequest

DEFAULT_LIMIT = 50
MAX_LIMIT = 500

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# The id of the last row shown, where a time makes the order after that time.
CURSOR = re.compile(r"(?:([0-9]{1,17})-)?([0-9]{1,18})")

Row = TypeVar("Row", bound=Model)


def limit_of(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise BadRequest(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def rest(text: str | None, time: str | None) -> Q:
    """What comes after the page before, whose cursor is `text`."""
    if text is None:
        return Q()
    match = CURSOR.fullmatch(text)
    if match is None or bool(match[1]) != bool(time):
        raise BadRequest("cursor is what `next` of the page before gave.")
    older = Q(pk__lt=int(match[2]))
    if time is None:
        return older
    return before(time, EPOCH + int(match[1]) * MICROSECOND, int(match[2]))


def before(time: str, then: datetime, pk: int) -> Q:
    """What comes after the row of this time and id, newest first. Said so that an index of both is entered there: of
    two alternatives PostgreSQL would read all newer rows first."""
    return Q(**{f"{time}__lte": then}) & (Q(**{f"{time}__lt": then}) | Q(pk__lt=pk))


def cursor(row: Model, time: str | None) -> str:
    return f"{(getattr(row, time) - EPOCH) // MICROSECOND}-{row.pk}" if time else str(row.pk)


def page(
    request: Request, rows: QuerySet[Row], serialise: Callable[[list[Row]], list[Any]], *, time: str | None = None
) -> dict[str, Any]:
    """`{"results": [..], "next": url|null}` of `rows`; `serialise` turns one page of them into JSON values.

    Newest is what has the highest id, or where `time` names a field of theirs, the latest of those.
    """
    limit = limit_of(request)
    order = [f"-{time}", "-pk"] if time else ["-pk"]
    found = list(rows.filter(rest(request.query_params.get("cursor"), time)).order_by(*order)[: limit + 1])
    shown = found[:limit]
    following = None
    if len(found) > limit:
        query = request.query_params.copy()
        query["cursor"] = cursor(shown[-1], time)
        following = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    return {"results": serialise(shown), "next": following}
