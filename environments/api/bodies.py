"""Bodies of native routes: read as they were sent, refused when they hold members that mean nothing."""

from collections.abc import Mapping
from typing import Any, TypeVar

from rest_framework import serializers
from rest_framework.request import Request


class Body(serializers.Serializer[Any]):
    """A request body. Members it does not know are refused: a misspelt `dry_run` must not change production."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        unknown = [name for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError({str(name): [f"Unknown member. Known are {known}."] for name in unknown})
        value: dict[str, Any] = super().to_internal_value(data)
        return value


BodyType = TypeVar("BodyType", bound=Body)


def read(request: Request, body: type[BodyType]) -> dict[str, Any]:
    """The validated members that were sent; absent ones are absent."""
    serializer = body(data=request.data)
    serializer.is_valid(raise_exception=True)
    validated: dict[str, Any] = serializer.validated_data
    return validated
