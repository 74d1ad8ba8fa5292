"""A user and a role as Rasa X shows them (api.md, section 3): any number of them with as many queries as one."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from accounts.actor import Actor
from accounts.models import Project, Role, User
from environments import role_grants

PASSWORD, API_TOKEN = "username_password", "api_token"  # how one signs in


class RolesOfProjectSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())


class UserSerializer(serializers.Serializer[Any]):
    """`roles` are those of the project that is asked for; `projects` only those that the asker may see."""

    username = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    projects = RolesOfProjectSerializer(many=True)
    authentication_mechanism = serializers.ChoiceField(
        [PASSWORD, API_TOKEN], help_text="a service account has tokens alone"
    )


class RoleSerializer(serializers.Serializer[Any]):
    """`grants`: `{"environments": ["read", "production.write"]}`. `is_default`: new users get the role."""

    role = serializers.CharField()
    grants = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    description = serializers.CharField()
    is_default = serializers.BooleanField()


def users(found: "QuerySet[User]", project: str, by: Actor) -> list[dict[str, Any]]:
    """Each user of `found`, which may be a part of a list."""
    seen = {row.pk: row.name for row in Project.objects.all() if by.sees(row)}
    memberships: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    rows = User.groups.through.objects.filter(user__in=found.values("pk"), group__role__project__in=seen)
    rows = rows.order_by("group__role__project__name", "group__role__pk")
    for user, place, role in rows.values_list("user_id", "group__role__project_id", "group__role__name"):
        memberships[user][seen[place]].append(role)
    return [_user(user, memberships[user.pk], project) for user in found]


def user(one: User, project: str, by: Actor) -> dict[str, Any]:
    [shown] = users(User.objects.filter(pk=one.pk), project, by)
    return shown


def _user(user: User, roles: dict[str, list[str]], project: str) -> dict[str, Any]:
    return {
        "username": user.username,
        "roles": roles.get(project, []),
        "projects": [{"name": name, "roles": names} for name, names in roles.items()],
        "authentication_mechanism": PASSWORD if user.service_of_id is None else API_TOKEN,
    }


def roles(found: Iterable[Role]) -> list[dict[str, Any]]:
    rows = list(found)
    words = role_grants.of_roles(rows)
    return [
        {
            "role": role.name,
            "grants": role_grants.as_categories(words[role.pk]),
            "description": role.description,
            "is_default": role.is_default,
        }
        for role in rows
    ]


def role(one: Role) -> dict[str, Any]:
    [shown] = roles([one])
    return shown
