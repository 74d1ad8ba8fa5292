"""Parts of a page that refresh themselves: asked for together every few seconds, only those that changed come back.

A piece is told apart by the digest of its id and its HTML. Relative times count as unchanged: the browser keeps them
true.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from environments.pages.access import PageRequest

TIMES = re.compile(r"(<time[^>]*>)[^<]*")


@dataclass(frozen=True)
class Piece:
    """`id` is the element's; `html` what is inside it. No form inside: its token would differ each time."""

    id: str
    html: str

    @property
    def digest(self) -> str:
        shown = TIMES.sub(r"\1", self.html)
        return sha256(f"{self.id} {shown}".encode()).hexdigest()[:16]

    def element(self, *, swap: bool = False) -> SafeString:
        marks = mark_safe(' hx-swap-oob="true"' if swap else "")  # noqa: S308 (a constant)
        pieces = [(self.id, self.digest, marks, mark_safe(self.html))]  # noqa: S308 (a rendered template)
        return format_html_join("", '<div class="piece" id="{}" data-digest="{}"{}>{}</div>', pieces)

    def __str__(self) -> str:
        return self.element()


def piece(request: PageRequest, identifier: str, template: str, context: dict[str, Any]) -> Piece:
    return Piece(identifier, render_to_string(template, context, request=request))


def changes(request: PageRequest, pieces: list[Piece]) -> HttpResponse:
    """Those pieces that the browser does not show yet (`seen` holds the digests of what it does); 204 for none.

    No ids: with hundreds of pieces the address would be longer than proxies let through.
    """
    seen = set(request.GET.get("seen", "").split())
    changed = [piece for piece in pieces if piece.digest not in seen]
    if not changed:
        return HttpResponse(status=204)
    return HttpResponse("".join(piece.element(swap=True) for piece in changed))
