"""Every route of the URL configuration, to be asked one after the other."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

FAMILIES = ("api/", "models/", "conversations/")
# The document itself and its page are not described in it.
OUTSIDE = ("api/schema/", "api/docs/")

Route = tuple[str, Callable[..., Any]]


def routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[Route]:
    """(route, view class or function) of each."""
    for entry in (resolver or get_resolver("controlplane.urls")).url_patterns:
        route = prefix + str(entry.pattern).lstrip("^")
        if isinstance(entry, URLResolver):
            yield from routes(entry, route)
        elif isinstance(entry, URLPattern):
            yield route, getattr(entry.callback, "view_class", entry.callback)


def described(route: str) -> str:
    """The route as the OpenAPI document spells it."""
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)


ROUTES = sorted(routes(), key=lambda found: found[0])
API_ROUTES = [(route, view) for route, view in ROUTES if route.startswith(FAMILIES) and route not in OUTSIDE]
