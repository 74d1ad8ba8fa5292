"""Times in a query."""

import re
from datetime import UTC, datetime

from django.utils.dateparse import parse_datetime

from accounts.problems import BadRequest


def parse(text: str, name: str) -> datetime:
    """An RFC 3339 time; the `+` of its offset is a space where nobody quoted it. Else a `BadRequest` that names it."""
    try:
        time = parse_datetime(re.sub(r" (?=\d\d:\d\d$)", "+", text))
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadRequest(f"{name} is a time as RFC 3339 with a zone: 2026-01-31T12:00:00Z.")
