"""How the OpenAPI document names refusals."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers


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


def refusals(*statuses: int) -> dict[Any, Any]:
    """Responses of a native route: 401 and 404 are always among them."""
    return {
        (status, "application/problem+json"): OpenApiResponse(ProblemSerializer, description="Refused, with the reason")
        for status in sorted({401, 404, *statuses})
    }


def rasa_refusals(*statuses: int) -> dict[Any, Any]:
    """Responses of a Rasa X route."""
    return {
        (status, "application/json"): OpenApiResponse(RasaErrorSerializer, description="Refused, with the reason")
        for status in sorted({401, 404, *statuses})
    }
