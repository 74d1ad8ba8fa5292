"""Sign-in of scripts: a token for name and password."""

from typing import Any

from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actions import tokens
from accounts.actor import RASA_X, Actor
from accounts.authentication import peer_address
from accounts.models import User
from accounts.problems import Unauthorized
from environments.api.bodies import Typed
from environments.api.rasa_x.installation import OpenView
from environments.api.schema import rasa_refusals_to_anybody


class CredentialsBody(Typed):
    """Other members are passed over: old clients send some."""

    username = serializers.CharField(trim_whitespace=False, max_length=150)
    password = serializers.CharField(trim_whitespace=False, max_length=4096)


class AccessTokenSerializer(serializers.Serializer[Any]):
    access_token = serializers.CharField()


class AuthView(OpenView):
    @extend_schema(
        auth=[],
        request=CredentialsBody,
        responses={200: AccessTokenSerializer, **rasa_refusals_to_anybody(401, 415, 429)},
    )
    def post(self, request: Request) -> Response:
        """A token for `Authorization: Bearer`, good for eight hours."""
        body = CredentialsBody(data=request.data)
        body.is_valid(raise_exception=True)
        user = _signed_in(request, **body.validated_data)
        by = Actor(user=user, via=RASA_X, address=peer_address(request._request))
        return Response({"access_token": tokens.issue(user=user, by=by)})


def _signed_in(request: Request, username: str, password: str) -> User:
    """The person whose name and password these are. Through Django's door: failures are counted, and lock."""
    user = authenticate(request=request._request, username=username, password=password)
    if not isinstance(user, User) or not user.is_active or user.service_of_id is not None:
        raise Unauthorized("This user name and password do not belong together.")
    return user
