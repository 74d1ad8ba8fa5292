"""The declaration of a pipeline as JSON, for the OpenAPI document. `environments.pipeline_spec` judges it."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from environments import gate_spec, pipeline_parts
from environments.states import PairedTest

Schema = dict[str, Any]


def _text(longest: int, **more: Any) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": longest, **more}


def _object(required: list[str], **properties: Schema) -> Schema:
    needed = {"required": required} if required else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **needed}


SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1, "nullable": True}
P_VALUE: Schema = {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1, "nullable": True}

SOURCE: Schema = {
    "oneOf": [
        {"type": "string", "enum": [pipeline_parts.NEWEST]},
        _object(
            ["repository"],
            repository=_text(63),
            ref=_text(pipeline_parts.LONGEST_REF, nullable=True),
        ),
    ],
    "description": "the newest bundle, or a git repository of the project and a ref in place of its own",
}
CONFIGS: Schema = {
    "type": "array",
    "minItems": 1,
    "maxItems": pipeline_parts.MAX_CONFIGS,
    "items": {"oneOf": [_text(pipeline_parts.LONGEST_PATH), {"type": "object"}]},
    "description": "paths of config.yml files in the bundle, or such configs themselves; a model is trained from each",
}
BETTER: Schema = {
    "oneOf": [
        {"type": "boolean"},
        _object([], margin=SHARE, p_value=P_VALUE, test={"type": "string", "enum": list(PairedTest)}),
    ],
    "nullable": True,
}
MUST_PASS: Schema = _object(
    ["text", "intent"],
    text=_text(gate_spec.LONGEST_TEXT),
    intent=_text(gate_spec.LONGEST_NAME),
    entities={
        "type": "array",
        "minItems": 1,
        "maxItems": gate_spec.MAX_PARTS,
        "nullable": True,
        "items": _object(
            ["entity"],
            entity=_text(gate_spec.LONGEST_NAME),
            value=_text(gate_spec.LONGEST_TEXT, nullable=True),
        ),
    },
    story={
        "type": "array",
        "minItems": 1,
        "maxItems": gate_spec.MAX_PARTS,
        "nullable": True,
        "items": _text(gate_spec.LONGEST_NAME),
        "description": "the actions that must follow",
    },
)
GATES: Schema = {
    **_object(
        [],
        minimum_f1=SHARE,
        better_than_serving=BETTER,
        intent_loss={
            **_object(
                [],
                examples={"type": "integer", "minimum": 1, "maximum": 100_000, "nullable": True},
                at_most=SHARE,
            ),
            "nullable": True,
        },
        must_pass={
            "type": "array",
            "minItems": 1,
            "maxItems": gate_spec.MAX_MUST_PASS,
            "nullable": True,
            "items": MUST_PASS,
        },
    ),
    "description": "what a model must be good for; all that are said must pass",
}
ON: Schema = {
    **_object(
        [],
        schedule=_text(100, nullable=True, description="five fields of cron", example="0 3 * * *"),
        time_zone=_text(100, nullable=True, example="Europe/Berlin"),
        push={
            "oneOf": [
                {"type": "boolean"},
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": pipeline_parts.MAX_REFS,
                    "items": _text(pipeline_parts.LONGEST_REF),
                },
            ],
            "nullable": True,
            "description": "the branches whose pushes count; true: the one of the source",
        },
        upload={"type": "boolean", "nullable": True},
    ),
    "description": "what starts it besides people",
}


@extend_schema_field(SOURCE)
class SourceField(serializers.JSONField):
    pass


@extend_schema_field(CONFIGS)
class ConfigsField(serializers.JSONField):
    pass


@extend_schema_field(GATES)
class GatesField(serializers.JSONField):
    pass


@extend_schema_field(ON)
class OnField(serializers.JSONField):
    pass
