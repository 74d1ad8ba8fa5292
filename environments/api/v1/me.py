"""Who one is, and what one may do where."""

from collections import defaultdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actor import Actor
from accounts.grants_table import ENVIRONMENT_GRANTS, PROJECT_GRANTS
from accounts.models import Project, Role
from environments.api.schema import refusals
from environments.api.views import NativeView
from environments.models import Environment


class MembershipSerializer(serializers.Serializer[Any]):
    """A project one sees. `grants` are those of this request's credential: a narrower token shows fewer."""

    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    grants = serializers.ListField(child=serializers.CharField())


class MeSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    projects = MembershipSerializer(many=True)


def grants_of(actor: Actor, project: Project) -> list[str]:
    """What the actor holds in the project, as an administrator would give it."""
    held = [grant for grant in PROJECT_GRANTS if actor.may(project, grant)]
    for environment in Environment.objects.active().filter(project=project):
        for action in ENVIRONMENT_GRANTS:
            if actor.may_on_environment(project.pk, environment.pk, environment.name, action):
                held.append(f"environments.{environment.name}.{action}")
    return held


def roles_of(actor: Actor) -> dict[int, list[str]]:
    """The names of the actor's roles, by project."""
    found: dict[int, list[str]] = defaultdict(list)
    if actor.user is not None:
        for role in Role.objects.of_user(actor.user):
            found[role.project_id].append(role.name)
    return found


class Me(NativeView):
    @extend_schema(responses={200: MeSerializer, **refusals()})
    def get(self, request: Request) -> Response:
        """Your name, your projects, and what you may do in each."""
        roles = roles_of(self.actor)
        projects = [
            {"name": project.name, "roles": roles[project.pk], "grants": grants_of(self.actor, project)}
            for project in Project.objects.all()
            if self.actor.sees(project)
        ]
        return Response({"username": self.actor.name, "projects": projects})
