"""How a JSON body is read: bounded, UTF-8, and refused in one way whatever is wrong with it."""

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from accounts.problems import BodyTooLarge


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _said_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two members of a name they take: what was checked before us may not be what we do."""
    named = dict(members)
    if len(named) < len(members):
        raise ValueError("a member is said twice")
    return named


class JsonParser(JSONParser):
    """DRF's, but it reads at most `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes, and JSON is UTF-8 whatever a charset says
    (RFC 8259)."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge(f"A JSON body holds at most {limit} bytes.")
        try:
            return json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant, object_pairs_hook=_said_once)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {error}.") from None
