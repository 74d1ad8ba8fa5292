"""People and service accounts as Rasa X lists and makes them, and their roles in one project."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Role, User
from environments import permissions
from environments.actions import roles as role_actions
from environments.actions import users
from environments.api.bodies import Typed
from environments.api.rasa_x import people
from environments.api.rasa_x.lists import LIST, names_in, part
from environments.api.rasa_x.people import RoleSerializer, UserSerializer
from environments.api.schema import PROJECT, rasa_refusals
from environments.api.scope import find_role, find_user
from environments.api.views import NativeView

NAMES = {"application/json": {"type": "array", "items": {"type": "string", "minLength": 1}}}


class NewUserBody(Typed):
    """Other members are passed over: old clients send some. They change nothing.

    Without `roles` the user gets the project's default role. Without `password` a person is invited.
    """

    username = serializers.CharField(trim_whitespace=False)
    password = serializers.CharField(required=False, allow_null=True, trim_whitespace=False, max_length=1000)
    roles = serializers.ListField(child=serializers.CharField(trim_whitespace=False), required=False, max_length=1000)
    email = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, max_length=254)
    service_account = serializers.BooleanField(default=False)


class NewUserSerializer(UserSerializer):
    """`invitation` is the link by which an invited person chooses a password: shown here and never again."""

    invitation = serializers.CharField(required=False)


class UsersView(NativeView):
    @extend_schema(parameters=[PROJECT, *LIST], responses={200: UserSerializer(many=True), **rasa_refusals(403)})
    def get(self, request: Request) -> Response:
        """The active users of the installation, by name."""
        permissions.check_can_read_users(self.actor)
        rows, headers = part(request, User.objects.active())
        return Response(people.users(rows, self.project.name, self.actor), headers=headers)

    @extend_schema(
        parameters=[PROJECT],
        request=NewUserBody,
        responses={201: NewUserSerializer(many=True), **rasa_refusals(403, 409, 415)},
    )
    def post(self, request: Request) -> Response:
        """Make a user; the list that is answered holds them alone. Nobody gives a role with a grant they do not hold.

        With `service_account: true` it is one of the project, which has API tokens and no password.
        """
        permissions.check_can_write_users(self.actor)
        body = NewUserBody(data=request.data)
        body.is_valid(raise_exception=True)
        made, invitation = self._make(**body.validated_data)
        shown = people.user(made, self.project.name, self.actor)
        return Response([shown | ({"invitation": invitation} if invitation else {})], status=201)

    def _make(
        self,
        username: str,
        service_account: bool,
        password: str | None = None,
        roles: Sequence[str] | None = None,
        email: str = "",
    ) -> tuple[User, str]:
        """The user, and the link of a person without a password."""
        members: dict[str, Any] = {
            "username": username,
            "by": self.actor,
            "project": self.project,
            "roles": None if roles is None else role_actions.named(self.project, roles),
            "email": email,
        }
        if service_account or password is not None:
            # In no transaction: no lock may be held while a password is hashed.
            return users.create(**members, password=password, is_service=service_account), ""
        with transaction.atomic():
            made = users.create(**members)
            return made, settings.PUBLIC_URL + users.invite(user=made, by=self.actor)


class UserView(NativeView):
    @extend_schema(parameters=[PROJECT], responses={200: UserSerializer, **rasa_refusals(403, 409)})
    def delete(self, request: Request, user: str) -> Response:
        """Deactivate an account: sessions and tokens end now, and the name stays taken."""
        permissions.check_can_write_users(self.actor)
        found = find_user(user)
        shown = people.user(found, self.project.name, self.actor)
        users.deactivate(user=found, by=self.actor)
        return Response(shown)


class UserRolesView(NativeView):
    @extend_schema(parameters=[PROJECT], responses={200: RoleSerializer(many=True), **rasa_refusals(403)})
    def get(self, request: Request, user: str) -> Response:
        """The roles of a user in the project."""
        permissions.check_can_read_roles(self.actor, self.project)
        return Response(self.roles_of(find_user(user)))

    @extend_schema(
        parameters=[PROJECT],
        request=NAMES,
        responses={200: RoleSerializer(many=True), **rasa_refusals(403, 409, 415)},
    )
    def put(self, request: Request, user: str) -> Response:
        """Make the roles named those of the user in the project. You must hold all that they grant, and all that the
        user's roles there granted before."""
        permissions.check_can_write_roles(self.actor, self.project)
        found = find_user(user)
        roles = role_actions.named(self.project, names_in(request))
        role_actions.set_roles(user=found, project=self.project, roles=roles, by=self.actor)
        return Response(self.roles_of(found))

    def roles_of(self, user: User) -> list[dict[str, Any]]:
        return people.roles(Role.objects.of_user(user).filter(project=self.project))


class UserRoleView(NativeView):
    @extend_schema(parameters=[PROJECT], responses={200: UserSerializer, **rasa_refusals(403, 409)})
    def delete(self, request: Request, user: str, role: str) -> Response:
        """Take a role from a user. One that they do not have is taken already."""
        permissions.check_can_write_roles(self.actor, self.project)
        found, taken = find_user(user), find_role(self.project, role)
        role_actions.change_roles(user=found, project=self.project, take=[taken], by=self.actor)
        return Response(people.user(found, self.project.name, self.actor))
