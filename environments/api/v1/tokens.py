"""API tokens, one's own and those of service accounts: list, create (the secret is shown once), revoke."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actions import api_tokens
from accounts.models import ApiToken, User
from accounts.models import user as user_names
from accounts.problems import NotFound
from environments import permissions
from environments.actions import api_tokens as tokens
from environments.api import bodies
from environments.api.bodies import Body
from environments.api.schema import PAGE, paged, refusals
from environments.api.scope import is_id
from environments.api.v1.paging import page
from environments.api.views import NativeView


class TokenSerializer(serializers.Serializer[ApiToken]):
    """An API token without its secret, of which `prefix` is the beginning. `grants` null: all of its owner's."""

    id = serializers.CharField(source="pk")
    account = serializers.CharField(source="user.username")
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

    account = serializers.CharField(required=False, max_length=150, help_text="a service account, in place of your own")

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("Choose a time to come.")
        return value


ACCOUNT = OpenApiParameter("account", description="the user name of a service account, in place of your own")


class Tokens(NativeView):
    def _service_account(self, name: str) -> User:
        """One that the actor may make tokens for: who may not see users does not learn which there are."""
        permissions.check_can_read_users(self.actor)
        found: User | None = User.objects.named(name).first() if user_names.USERNAME.fullmatch(name) else None
        if found is None:
            raise NotFound(f"There is no service account {name[:80]}.")
        permissions.check_can_make_token_for(self.actor, found)
        return found

    def _own(self) -> User:
        assert self.actor.user is not None  # noqa: S101  # every route has a user
        return self.actor.user

    @extend_schema(parameters=[*PAGE, ACCOUNT], responses={200: paged(TokenSerializer), **refusals(403)})
    def get(self, request: Request) -> Response:
        """Your own tokens that are not revoked, or those of a service account that you may make tokens for."""
        name = request.query_params.get("account")
        owner = self._own() if name is None else self._service_account(name)
        rows = ApiToken.objects.filter(user=owner, revoked_at=None).select_related("user")
        return Response(page(request, rows, lambda found: [TokenSerializer(row).data for row in found]))

    @extend_schema(request=TokenBody, responses={201: NewTokenSerializer, **refusals(403, 415)})
    def post(self, request: Request) -> Response:
        """A new token of your own, or of a service account whose grants you hold all. With `grants` it may do only
        these, each of which you must hold."""
        members = bodies.read(request, TokenBody)
        name = members.pop("account", None)
        if name is None:
            permissions.check_can_write_tokens(self.actor, self.project)
        owner = self._own() if name is None else self._service_account(name)
        permissions.check_can_give(self.actor, members.get("grants") or ())
        token, secret = tokens.create(user=owner, by=self.actor, **members)
        return Response(TokenSerializer(token).data | {"token": secret}, status=201)


class OneToken(NativeView):
    @extend_schema(responses={204: None, **refusals(403)})
    def delete(self, request: Request, token: str) -> Response:
        """Revoke a token of your own, or of an account that you may edit, now."""
        usable = ApiToken.objects.filter(revoked_at=None).select_related("user")
        found = usable.filter(pk=token).first() if is_id(token) else None
        if found is None or (found.user != self.actor.user and not permissions.can_read_users(self.actor)):
            raise NotFound(f"You have no token {token}.")
        permissions.check_can_end_token(self.actor, found)
        api_tokens.revoke(token=found, by=self.actor)
        return Response(status=204)
