"""How the OpenAPI document speaks of what all routes share: ids, credentials, the project, lists, waits, refusals."""

import re
from collections.abc import Iterable
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from environments.api.waits import LONGEST

WAIT = OpenApiParameter(
    "wait", OpenApiTypes.NUMBER, description=f"seconds to hold the answer until it is finished, at most {LONGEST:.0f}"
)
PROJECT = OpenApiParameter("project", description="`default` where it is not named")
PAGE = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}),
    OpenApiParameter("cursor", description="from `next` of the page before"),
]


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457; more members tell the data of the problem."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    errors = serializers.DictField(child=serializers.ListField(child=serializers.CharField()), required=False)  # type: ignore[assignment]


class RasaErrorSerializer(serializers.Serializer[Any]):
    """The error body of a Rasa server."""

    version = serializers.CharField()
    status = serializers.CharField()
    message = serializers.CharField()
    reason = serializers.CharField()
    details = serializers.DictField()
    help = serializers.CharField(allow_null=True)
    code = serializers.IntegerField()


# What any route may answer: a query that cannot be read, and a database or a kind of long request that is away or full.
ANYBODY = (400, 503)
SIGNED_IN = (401, 404)


def _refused(statuses: Iterable[int], media_type: str, body: type[serializers.Serializer[Any]]) -> dict[Any, Any]:
    told = OpenApiResponse(body, description="Refused, with the reason")
    return {(status, media_type): told for status in sorted({*ANYBODY, *statuses})}


def refusals(*statuses: int) -> dict[Any, Any]:
    """Responses of a native route besides those that every route has."""
    return _refused({*SIGNED_IN, *statuses}, "application/problem+json", ProblemSerializer)


def signed_refusals(*statuses: int) -> dict[Any, Any]:
    """Responses of a native route that takes a signature in place of credentials."""
    return _refused(statuses, "application/problem+json", ProblemSerializer)


def rasa_refusals(*statuses: int) -> dict[Any, Any]:
    """Responses of a Rasa X route besides those that every route has."""
    return _refused({*SIGNED_IN, *statuses}, "application/json", RasaErrorSerializer)


def rasa_refusals_to_anybody(*statuses: int) -> dict[Any, Any]:
    """Responses of a Rasa X route that needs no credentials."""
    return _refused(statuses, "application/json", RasaErrorSerializer)


def paged(item: type[serializers.Serializer[Any]]) -> Any:
    """The page of a native list: its query parameters follow from it (`Operation`)."""
    name = f"{item.__name__.removesuffix('Serializer')}Page"
    fields = {"results": item(many=True), "next": serializers.URLField(allow_null=True)}
    return inline_serializer(name, fields=fields)


class Operation(AutoSchema):
    """Ids from method and path, so that none collide; the project and paging parameters where routes have them."""

    def get_operation_id(self) -> str:
        words = [
            f"by_{part.strip('{}')}" if part.startswith("{") else part.replace("-", "_")
            for part in self.path.strip("/").split("/")
        ]
        return "_".join([self.method.lower(), *words])

    def get_tags(self) -> list[str]:
        if self.path == "/metrics":
            return ["Operations"]
        return ["Native" if self.path.startswith("/api/v1/") else "Rasa X"]

    def get_override_parameters(self) -> list[Any]:
        names = re.findall(r"\{(\w+)\}", self.path)
        in_path: list[Any] = [OpenApiParameter(name, location=OpenApiParameter.PATH) for name in names]
        return [*in_path, PROJECT] if self.path.startswith("/api/v1/") else in_path


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        description = (
            "An API token (cpt_…) of your own, or the access_token of POST /api/auth. Rasa X routes take an API token "
            "as the parameter api_token too."
        )
        return {"type": "http", "scheme": "bearer", "description": description}


class ChatScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "environments.api.end_users.ChatAuthentication"
    name = "chat"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        description = (
            "As `token`, or an end user's JSON Web Token: HS256 with the environment's `jwt_secret`, claims "
            '`{"user": {"username", "role"}}`.'
        )
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        description = "The session of the pages; other methods than GET need the X-CSRFToken header."
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": description}
