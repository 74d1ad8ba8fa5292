"""One's own API tokens: list, create (the secret is shown once), revoke."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actions import api_tokens
from accounts.models import ApiToken
from accounts.problems import NotFound
from environments import permissions
from environments.api import bodies
from environments.api.bodies import Body
from environments.api.schema import PAGE, paged, refusals
from environments.api.scope import is_id
from environments.api.v1.paging import page
from environments.api.views import NativeView


class TokenSerializer(serializers.Serializer[ApiToken]):
    """An API token without its secret, of which `prefix` is the beginning. `grants` null: all of its owner's."""

    id = serializers.CharField(source="pk")
    name = serializers.CharField()
    prefix = serializers.CharField()
    grants = serializers.ListField(child=serializers.CharField(), allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewTokenSerializer(TokenSerializer):
    """`token` is the secret: it is shown here and never again."""

    token = serializers.CharField()


class TokenBody(Body):
    name = serializers.CharField(max_length=100)
    grants = serializers.ListField(child=serializers.CharField(), required=False, allow_null=True, max_length=200)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("Choose a time to come.")
        return value


class Tokens(NativeView):
    @extend_schema(parameters=PAGE, responses={200: paged(TokenSerializer), **refusals()})
    def get(self, request: Request) -> Response:
        """Your own tokens that are not revoked."""
        rows = ApiToken.objects.filter(user=self.actor.user, revoked_at=None)
        return Response(page(request, rows, lambda found: [TokenSerializer(row).data for row in found]))

    @extend_schema(request=TokenBody, responses={201: NewTokenSerializer, **refusals(403, 415)})
    def post(self, request: Request) -> Response:
        """A new token of your own. With `grants` it may do only these, each of which you must hold."""
        permissions.check_can_write_tokens(self.actor, self.project)
        members = bodies.read(request, TokenBody)
        permissions.check_can_give(self.actor, members.get("grants") or ())
        assert self.actor.user is not None  # noqa: S101  # every route has a user
        token, secret = api_tokens.create(user=self.actor.user, by=self.actor, **members)
        return Response(TokenSerializer(token).data | {"token": secret}, status=201)


class OneToken(NativeView):
    @extend_schema(responses={204: None, **refusals(403)})
    def delete(self, request: Request, token: str) -> Response:
        """Revoke a token of your own, now."""
        own = ApiToken.objects.filter(user=self.actor.user, revoked_at=None)
        found = own.select_related("user").filter(pk=token).first() if is_id(token) else None
        if found is None:
            raise NotFound(f"You have no token {token}.")
        permissions.check_can_revoke(self.actor, found)
        api_tokens.revoke(token=found, by=self.actor)
        return Response(status=204)
