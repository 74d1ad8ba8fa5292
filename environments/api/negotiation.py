"""Which form an answer takes."""

from collections.abc import Iterable

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class JsonForAll(DefaultContentNegotiation):
    """A route with one form gives it whatever `Accept` asks for: Rasa servers and old scripts ask for odd things."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        known = list(renderers)
        try:
            renderer, media_type = super().select_renderer(request, known, format_suffix)
        except NotAcceptable:
            renderer, media_type = known[0], str(known[0].media_type)
        return renderer, media_type
