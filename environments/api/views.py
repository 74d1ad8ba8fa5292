"""What every API view has: its actor and its project."""

from functools import cached_property

from rest_framework.views import APIView

from accounts.actor import Actor
from accounts.authentication import actor_of
from accounts.models import Project, project
from environments.api.scope import find_project


class NativeView(APIView):
    """A native route: the project is in the query, `default` where it is not named."""

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
