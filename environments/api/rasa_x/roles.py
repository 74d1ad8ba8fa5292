"""Roles of a project as Rasa X lists and changes them, and who has them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Role, User
from accounts.problems import InvalidFields
from environments import permissions, role_grants
from environments.actions import roles
from environments.api.bodies import Typed
from environments.api.rasa_x import people
from environments.api.rasa_x.lists import LIST, names_in, part
from environments.api.rasa_x.people import RoleSerializer, UserSerializer
from environments.api.rasa_x.users import NAMES
from environments.api.schema import PROJECT, rasa_refusals
from environments.api.scope import find_role
from environments.api.views import NativeView


class RoleBody(Typed):
    """What is absent stays as it is. Other members are passed over: old clients send some. They change nothing."""

    role = serializers.CharField(required=False, trim_whitespace=False)
    grants = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(trim_whitespace=False, max_length=200), max_length=500),
        required=False,
    )
    description = serializers.CharField(required=False, allow_blank=True, max_length=500)
    is_default = serializers.BooleanField(required=False)


class NewRoleBody(RoleBody):
    """Without `grants` the role grants nothing yet. Other members are passed over."""

    role = serializers.CharField(trim_whitespace=False)


def _members(request: Request, body: type[RoleBody]) -> dict[str, Any]:
    """As the actions take them."""
    read = body(data=request.data)
    read.is_valid(raise_exception=True)
    members: dict[str, Any] = dict(read.validated_data)
    if "role" in members:
        members["name"] = members.pop("role")
    if "grants" in members:
        members["grants"] = role_grants.from_categories(members["grants"])
    return members


class RolesView(NativeView):
    @extend_schema(parameters=[PROJECT, *LIST], responses={200: RoleSerializer(many=True), **rasa_refusals(403)})
    def get(self, request: Request) -> Response:
        """The roles of the project: the built-in ones first, then as they were made."""
        permissions.check_can_read_roles(self.actor, self.project)
        rows, headers = part(request, Role.objects.filter(project=self.project))
        return Response(people.roles(rows), headers=headers)

    @extend_schema(
        parameters=[PROJECT], request=NewRoleBody, responses={201: RoleSerializer, **rasa_refusals(403, 409, 415)}
    )
    def post(self, request: Request) -> Response:
        """Make a role. You must hold all that it grants."""
        permissions.check_can_write_roles(self.actor, self.project)
        members = {"grants": (), **_members(request, NewRoleBody)}
        return Response(people.role(roles.create(project=self.project, by=self.actor, **members)), status=201)


class RoleView(NativeView):
    @extend_schema(parameters=[PROJECT], responses={200: RoleSerializer, **rasa_refusals(403)})
    def get(self, request: Request, role: str) -> Response:
        """One role."""
        permissions.check_can_read_roles(self.actor, self.project)
        return Response(people.role(find_role(self.project, role)))

    @extend_schema(
        parameters=[PROJECT], request=RoleBody, responses={200: RoleSerializer, **rasa_refusals(403, 409, 415)}
    )
    def put(self, request: Request, role: str) -> Response:
        """Change what is sent of a role; `role` is another name for it. You must hold all that it grants, before and
        after. It takes effect at the next request of everybody who has it."""
        permissions.check_can_write_roles(self.actor, self.project)
        found = find_role(self.project, role)
        return Response(people.role(roles.update(role=found, by=self.actor, **_members(request, RoleBody))))

    @extend_schema(parameters=[PROJECT], responses={200: RoleSerializer, **rasa_refusals(403, 409)})
    def delete(self, request: Request, role: str) -> Response:
        """End a role; who had it loses what it gave. Built-in ones cannot be deleted."""
        permissions.check_can_write_roles(self.actor, self.project)
        found = find_role(self.project, role)
        shown = people.role(found)
        roles.delete(role=found, by=self.actor)
        return Response(shown)


class RoleUsersView(NativeView):
    @extend_schema(parameters=[PROJECT, *LIST], responses={200: UserSerializer(many=True), **rasa_refusals(403)})
    def get(self, request: Request, role: str) -> Response:
        """The active users who have the role, by name."""
        permissions.check_can_read_roles(self.actor, self.project)
        rows, headers = part(request, self.having(find_role(self.project, role)))
        return Response(people.users(rows, self.project.name, self.actor), headers=headers)

    @extend_schema(
        parameters=[PROJECT], request=NAMES, responses={200: UserSerializer(many=True), **rasa_refusals(403, 409, 415)}
    )
    def put(self, request: Request, role: str) -> Response:
        """Make the users named those who have the role; deactivated accounts, which are not listed, keep it."""
        permissions.check_can_write_roles(self.actor, self.project)
        found = find_role(self.project, role)
        users = {*_named(names_in(request)), *User.objects.filter(groups=found.group_id, is_active=False)}
        roles.set_members(role=found, users=users, by=self.actor)
        return Response(people.users(self.having(found), self.project.name, self.actor))

    def having(self, role: Role) -> Any:
        return User.objects.active().filter(groups=role.group_id)


def _named(names: list[str]) -> list[User]:
    """The users of these names; refuses unknown ones, naming the first."""
    found = {user.username: user for user in User.objects.filter(username__in=names)}
    unknown = [name for name in names if name not in found]
    if unknown:
        cure = f"There is no user {unknown[0][:80]!r}."
        raise InvalidFields(cure, errors={"users": [cure]})
    return list(found.values())
