"""The service token of an environment's Rasa servers: shown to who manages environments, and rotated."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from environments import permissions
from environments.actions import service_tokens as actions
from environments.api import bodies
from environments.api.bodies import Body
from environments.api.schema import refusals
from environments.api.scope import find_environment
from environments.api.views import NativeView
from environments.models import Environment
from environments.serving import service_tokens

NO_STORE = {"Cache-Control": "no-store"}


class ServiceTokenSerializer(serializers.Serializer[Any]):
    """`previous_valid_until`: the token before this one is answered until then, null where it is not."""

    token = serializers.CharField()
    generation = serializers.IntegerField()
    previous_valid_until = serializers.DateTimeField(allow_null=True)


class RotationBody(Body):
    grace_hours = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=actions.LONGEST_GRACE // timedelta(hours=1),
        default=actions.GRACE // timedelta(hours=1),
        help_text="how long the present token goes on; 0 ends it now, and every older one",
    )


def shown(environment: Environment) -> Response:
    token = {
        "token": service_tokens.service_token(environment),
        "generation": environment.token_generation,
        "previous_valid_until": service_tokens.previous_valid_until(environment),
    }
    return Response(ServiceTokenSerializer(token).data, headers=NO_STORE)


class ServiceToken(NativeView):
    @extend_schema(responses={200: ServiceTokenSerializer, **refusals(403)})
    def get(self, request: Request, name: str) -> Response:
        """The token that the environment's Rasa servers send."""
        environment = find_environment(self.actor, self.project, name)
        permissions.check_can_manage_environments(self.actor, self.project)
        return shown(environment)

    @extend_schema(request=RotationBody, responses={200: ServiceTokenSerializer, **refusals(403, 409, 415)})
    def post(self, request: Request, name: str) -> Response:
        """Rotate it: another token from now on, while the one before goes on for a grace period."""
        environment = find_environment(self.actor, self.project, name)
        hours = bodies.read(request, RotationBody)["grace_hours"]
        return shown(actions.rotate(environment=environment, by=self.actor, grace=timedelta(hours=hours)))
