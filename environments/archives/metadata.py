"""What `metadata.json` of a Rasa 3.x model says (rasa-facts, section 2)."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from environments import errors

NAME = "metadata.json"
KINDS = ("intents", "entities", "slots", "responses", "actions", "forms", "flows")
DEEPEST = 100
# Parsed, each value takes dozens of bytes: as many as these fit into memory many times over.
MOST_VALUES = 500_000
SHORT, LONG = 50, 200


@dataclass(frozen=True)
class Described:
    document: dict[str, Any]
    version: str
    trained_at: datetime
    language: str
    model_id: str
    assistant_id: str
    counts: dict[str, int]


def unreadable(why: str) -> errors.MetadataUnreadable:
    return errors.MetadataUnreadable(f"metadata.json {why}. Upload a model that `rasa train` of Rasa 3.x wrote.")


def read(raw: bytes) -> Described:
    """Raises `MetadataUnreadable` where it is not the metadata of a Rasa 3.x model."""
    document = _parse(raw)
    domain = document.get("domain")
    if not isinstance(domain, dict):
        raise unreadable("has no domain")
    return Described(
        document=document,
        version=_text(document, "rasa_open_source_version", SHORT, required=True),
        trained_at=_trained_at(document),
        language=_text(document, "language", SHORT),
        model_id=_text(document, "model_id", LONG),
        assistant_id=_text(document, "assistant_id", LONG),
        counts={kind: _count(domain.get(kind)) for kind in KINDS},
    )


def _parse(raw: bytes) -> dict[str, Any]:
    if sum(raw.count(mark) for mark in (b",", b"[", b"{")) > MOST_VALUES:
        raise errors.MetadataTooLarge(f"metadata.json has more than {MOST_VALUES} values. Train with a smaller domain.")
    try:
        document = json.loads(raw.decode(), parse_constant=str)
        # What a database cannot keep: infinite numbers, half surrogates.
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise unreadable("is not valid JSON in UTF-8") from error
    if not isinstance(document, dict):
        raise unreadable("is not an object")
    _check_values(document)
    return document


def _check_values(document: dict[str, Any]) -> None:
    """Refuse what whoever handles it later could not: deep nesting, NUL in a text."""
    level: list[Any] = [document]
    for _ in range(DEEPEST):
        if any("\0" in value for value in level if isinstance(value, str)):
            raise unreadable("has a NUL character in a text")
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return
    raise unreadable(f"is nested more than {DEEPEST} levels deep")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _text(document: dict[str, Any], key: str, longest: int, *, required: bool = False) -> str:
    value = document.get(key)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or len(value) > longest or (required and not value):
        raise unreadable(f"has no {key} that is a text of at most {longest} characters")
    return value


def _trained_at(document: dict[str, Any]) -> datetime:
    """Naive means UTC."""
    try:
        trained_at = datetime.fromisoformat(document["trained_at"])
        return trained_at.astimezone(UTC) if trained_at.tzinfo else trained_at.replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise unreadable("has no trained_at that is a time in ISO 8601") from error


def _count(declared: Any) -> int:
    return len(declared) if isinstance(declared, dict | list) else 0
