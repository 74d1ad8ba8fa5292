"""The containers of an environment's Rasa servers, where this installation asks a container engine."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from environments.api.schema import refusals
from environments.api.scope import find_environment
from environments.api.views import NativeView
from environments.clients.docker.engine import Container, Memory
from environments.engine import restarting


class MemorySerializer(serializers.Serializer[Memory]):
    used = serializers.IntegerField(help_text="bytes")
    limit = serializers.IntegerField(help_text="bytes")


class ContainerSerializer(serializers.Serializer[Container]):
    """One container as its engine tells it. `state` is the engine's word: created, running, paused, restarting,
    removing, exited or dead; `restarts` are those by the engine since the container was made."""

    name = serializers.CharField()
    id = serializers.CharField()
    image = serializers.CharField()
    state = serializers.CharField()
    health = serializers.CharField()
    restarts = serializers.IntegerField()
    exit_code = serializers.IntegerField()
    out_of_memory = serializers.BooleanField()
    started_at = serializers.DateTimeField(allow_null=True)
    memory = MemorySerializer(allow_null=True)


class Containers(NativeView):
    @extend_schema(responses={200: ContainerSerializer(many=True), **refusals(503)})
    def get(self, request: Request, name: str) -> Response:
        """What the engine runs of the environment; 404 where this installation asks none."""
        place = restarting.place(find_environment(self.actor, self.project, name))
        return Response([ContainerSerializer(container).data for container in place.containers])


class Restart(NativeView):
    @extend_schema(request=None, responses={204: None, **refusals(403, 409, 503)})
    def post(self, request: Request, name: str, container: str) -> Response:
        """Restart one container, named by its name or id. 409 while another replica does not serve; 404 where this
        installation asks no engine."""
        environment = find_environment(self.actor, self.project, name)
        restarting.restart(environment=environment, name=container, by=self.actor)
        return Response(status=204)
