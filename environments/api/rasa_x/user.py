"""One's own account as Rasa X shows and changes it."""

from django.contrib.auth import update_session_auth_hash
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User, project
from accounts.problems import InvalidFields
from environments import permissions
from environments.actions import users
from environments.api.bodies import Typed
from environments.api.rasa_x import people
from environments.api.rasa_x.people import UserSerializer
from environments.api.schema import PROJECT, rasa_refusals
from environments.api.views import NativeView


class AccountBody(Typed):
    """Other members are passed over: only the name can be changed here."""

    username = serializers.CharField(required=False, trim_whitespace=False)


class PasswordBody(Typed):
    """`username`, which some clients send, can only be your own."""

    username = serializers.CharField(required=False, trim_whitespace=False)
    old_password = serializers.CharField(trim_whitespace=False, max_length=4096)
    new_password = serializers.CharField(trim_whitespace=False, max_length=4096)


# Members as the action names them, and as they came.
CALLED = {"old": "old_password", "new": "new_password"}


class OwnView(NativeView):
    @property
    def user(self) -> User:
        user = self.actor.user
        assert user is not None  # noqa: S101  # every route has a user
        return user

    def shown(self) -> dict[str, object]:
        """Where no project is named, the default one is not insisted on: not everybody sees it."""
        named = "project" in self.request.query_params
        return people.user(self.user, self.project.name if named else project.DEFAULT, self.actor)


class OwnAccountView(OwnView):
    @extend_schema(parameters=[PROJECT], responses={200: UserSerializer, **rasa_refusals()})
    def get(self, request: Request) -> Response:
        """Your own account."""
        return Response(self.shown())

    @extend_schema(
        parameters=[PROJECT], request=AccountBody, responses={200: UserSerializer, **rasa_refusals(403, 409, 415)}
    )
    def patch(self, request: Request) -> Response:
        """Take another user name; sessions and API tokens go on, tokens of `/api/auth` end with the old name."""
        body = AccountBody(data=request.data)
        body.is_valid(raise_exception=True)
        if "username" in body.validated_data:
            users.rename(user=self.user, username=body.validated_data["username"], by=self.actor)
        return Response(self.shown())


class OwnPasswordView(OwnView):
    @extend_schema(
        parameters=[PROJECT], request=PasswordBody, responses={200: UserSerializer, **rasa_refusals(403, 415)}
    )
    def post(self, request: Request) -> Response:
        """Choose another password. Sessions and tokens of `/api/auth` end, but not the session that asks."""
        permissions.check_can_edit_own_account(self.actor)
        body = PasswordBody(data=request.data)
        body.is_valid(raise_exception=True)
        self._change(**body.validated_data)
        return Response(self.shown())

    def _change(self, old_password: str, new_password: str, username: str = "") -> None:
        if username not in ("", self.user.username):
            cure = "You can change your own password alone. An administrator invites others to choose a new one."
            raise InvalidFields(f"username: {cure}", errors={"username": [cure]})
        try:
            changed = users.change_password(user=self.user, old=old_password, new=new_password, by=self.actor)
        except InvalidFields as refused:
            errors = {CALLED.get(name, name): told for name, told in (refused.errors or {}).items()}
            detail = " ".join(f"{name}: {' '.join(told)}" for name, told in errors.items())
            raise InvalidFields(detail, errors=errors) from None
        if self.request.auth is None:
            update_session_auth_hash(self.request._request, changed)
