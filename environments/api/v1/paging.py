"""Pages of a list, newest first, by cursor: what is added meanwhile shifts nothing."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from accounts.problems import BadRequest

DEFAULT_LIMIT = 50
MAX_LIMIT = 500

Row = TypeVar("Row", bound=Model)


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise BadRequest(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _cursor(request: Request) -> int | None:
    text = request.query_params.get("cursor")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise BadRequest("cursor is what `next` of the page before gave.")
    return int(text)


def page(request: Request, rows: QuerySet[Row], serialise: Callable[[list[Row]], list[Any]]) -> dict[str, Any]:
    """`{"results": [..], "next": url|null}` of `rows`; `serialise` turns one page of them into JSON values."""
    limit, cursor = _limit(request), _cursor(request)
    if cursor is not None:
        rows = rows.filter(pk__lt=cursor)
    found = list(rows.order_by("-pk")[: limit + 1])
    shown = found[:limit]
    following = None
    if len(found) > limit:
        query = request.query_params.copy()
        query["cursor"] = str(shown[-1].pk)
        following = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    return {"results": serialise(shown), "next": following}
