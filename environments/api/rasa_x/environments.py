"""The list of environments as Rasa X clients know it: names and addresses, never a token."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from accounts.problems import BadRequest, InvalidFields
from environments import permissions
from environments.actions import environments
from environments.actions.environments import Listed
from environments.api.bodies import Typed
from environments.api.schema import rasa_refusals
from environments.api.views import RasaXView
from environments.models import Environment


class ListedSerializer(Typed):
    """`token` is that of the Rasa server: null leaves the stored one, and null is what is answered."""

    name = serializers.CharField(trim_whitespace=False)
    url = serializers.CharField(trim_whitespace=False)
    token = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, trim_whitespace=False, max_length=1000
    )


def read_list(data: Any) -> list[Listed]:
    if not isinstance(data, list):
        raise BadRequest("The body is a list of environments: [{name, url, token}].")
    listed: list[Listed] = []
    errors: dict[str, list[str]] = {}
    for place, item in enumerate(data):
        serializer = ListedSerializer(data=item)
        if not serializer.is_valid():
            for field, sentences in serializer.errors.items():
                key = str(place) if field == api_settings.NON_FIELD_ERRORS_KEY else f"{place}.{field}"
                errors[key] = [str(sentence) for sentence in sentences]
            continue
        members = serializer.validated_data
        if members["name"] in [other.name for other in listed]:
            errors[f"{place}.name"] = ["This name stands in the list twice. Leave one out."]
        listed.append(Listed(members["name"], members["url"], members.get("token")))
    if errors:
        raise InvalidFields(" ".join(f"{key}: {' '.join(told)}" for key, told in errors.items()), errors=errors)
    return listed


def wants_prune(request: Request) -> bool:
    text = request.query_params.get("prune", "false")
    if text not in ("true", "false"):
        raise BadRequest("prune is true or false.")
    return text == "true"


class EnvironmentList(RasaXView):
    @extend_schema(responses={200: ListedSerializer(many=True), **rasa_refusals(403)})
    def get(self, request: Request) -> Response:
        """The environments of the default project, in the order of promotion."""
        permissions.check_can_read_environments(self.actor, self.project)
        return Response(self.listed())

    @extend_schema(
        parameters=[OpenApiParameter("prune", OpenApiTypes.BOOL, description="retire those that are not in the list")],
        request=ListedSerializer(many=True),
        responses={201: ListedSerializer(many=True), **rasa_refusals(403, 409, 415)},
    )
    def put(self, request: Request) -> Response:
        """Create and update environments. Those that environments.yml declares are left alone."""
        permissions.check_can_manage_environments(self.actor, self.project)
        listed = read_list(request.data)
        environments.put_list(project=self.project, listed=listed, prune=wants_prune(request), by=self.actor)
        return Response(self.listed(), status=201)

    def listed(self) -> list[dict[str, Any]]:
        rows = Environment.objects.visible_to(self.actor, self.project)
        return [{"name": row.name, "url": row.url, "token": None} for row in rows]
