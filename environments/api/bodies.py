"""Bodies of requests: read as they were sent, refused when they hold members that mean nothing."""

from collections.abc import Mapping
from typing import Any, TypeVar

from rest_framework import serializers
from rest_framework.request import Request

# A serializer by itself would take 0 for false, true for 1.0 and 5 for "5", which the document does not promise.
TYPES: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], tuple[type, ...], str], ...] = (
    (serializers.BooleanField, (bool,), "Not a boolean."),
    (serializers.CharField, (str,), "Not a string."),
    (serializers.IntegerField, (int,), "Not a whole number."),
)


def mistyped(field: serializers.Field[Any, Any, Any, Any], value: Any) -> str | None:
    """What is wrong with the JSON type of a member, or of an item of it."""
    if value is None:
        return None
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        return next((told for item in value if (told := mistyped(field.child, item))), None)
    if isinstance(field, serializers.DictField) and isinstance(value, Mapping):
        return next((told for item in value.values() if (told := mistyped(field.child, item))), None)
    for kind, types, told in TYPES:
        if isinstance(field, kind):
            return None if type(value) in types else told
    return None


class Typed(serializers.Serializer[Any]):
    """An object whose members are of the JSON types that the document names."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        members = data.items() if isinstance(data, Mapping) else ()
        told = {name: mistyped(self.fields[name], value) for name, value in members if name in self.fields}
        errors = {name: [sentence] for name, sentence in told.items() if sentence}
        if errors:
            raise serializers.ValidationError(errors)
        value: dict[str, Any] = super().to_internal_value(data)
        return value


class Body(Typed):
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
