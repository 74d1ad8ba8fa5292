"""What every API view has: its actor and its project."""

from collections.abc import Iterable
from functools import cached_property

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.actor import Actor
from accounts.authentication import actor_of
from accounts.models import Project, project
from environments.api.scope import find_project


class OneKind(DefaultContentNegotiation):
    """Each route answers in its one kind, whatever `Accept` wishes for: a download may ask for application/gzip."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class NativeView(APIView):
    """A native route, or one of Rasa X about people: the project is in the query, `default` where it is not named."""

    content_negotiation_class = OneKind

    @cached_property
    def actor(self) -> Actor:
        return actor_of(self.request)

    @cached_property
    def project(self) -> Project:
        return find_project(self.actor, self.request.query_params.get("project", project.DEFAULT))


class RasaXView(NativeView):
    """A Rasa X route: the project is in the path, `default` where it is not."""

    @cached_property
    def project(self) -> Project:
        return find_project(self.actor, self.kwargs.get("project", project.DEFAULT))
