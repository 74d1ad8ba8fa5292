"""Lists as Rasa X gives them: an array of all there is, a part of it on request, the total in a header."""

import re
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from accounts.problems import BadRequest, InvalidFields
from environments.api.bodies import mistyped

WHOLE_NUMBER = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
LIMIT = OpenApiParameter("limit", WHOLE_NUMBER, description="without it, all")
OFFSET = OpenApiParameter("offset", WHOLE_NUMBER, description="how many to pass over")
TOTAL = OpenApiParameter(
    "X-Total-Count", OpenApiTypes.INT, OpenApiParameter.HEADER, response=[200], description="without limit and offset"
)
LIST = [LIMIT, OFFSET, TOTAL]

Row = TypeVar("Row", bound=Model)


def part(request: Request, rows: "QuerySet[Row]", total: int | None = None) -> tuple["QuerySet[Row]", dict[str, str]]:
    """What `limit` and `offset` ask for of `rows`, and the headers of the answer; `total` where it is known."""
    total = rows.count() if total is None else total
    offset, limit = _whole_number(request, "offset", 0), _whole_number(request, "limit", total)
    return rows[offset : offset + limit], {"X-Total-Count": str(total)}


def _whole_number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise BadRequest(f"{name} is a whole number of at most 18 digits.")
    return int(text)


def names_in(request: Request) -> list[str]:
    """The body where it is a list of names, each once."""
    field = serializers.ListField(child=serializers.CharField(trim_whitespace=False), max_length=20_000)
    told = mistyped(field, request.data)
    if told or not isinstance(request.data, list):
        raise BadRequest("The body is a list of names: [name, …].")
    try:
        names: list[Any] = field.run_validation(request.data)
    except serializers.ValidationError as error:
        raise InvalidFields("The body is a list of names: [name, …].", errors={"names": [str(error)]}) from None
    return list(dict.fromkeys(names))
