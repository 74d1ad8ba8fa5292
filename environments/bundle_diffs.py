"""What differs between two projects to train from. Pure: what a project says is taken as it is, whatever its shape."""

import re
from collections.abc import Iterable
from typing import Any

from environments.bundles import Project

# By name: what the other project says about each is compared whole.
KINDS = ("entities", "slots", "responses", "actions", "forms", "flows")
# Of examples that are shown; all are counted.
MAX_EXAMPLES = 50
MAX_EXAMPLE = 300
_LINE = re.compile(r"^\s*-\s?", re.MULTILINE)

Changes = dict[str, list[str]]


def diff(a: Project, b: Project) -> dict[str, Any]:
    """What `b` has that `a` has not (added), the other way round (removed), and what both say otherwise (changed)."""
    kinds = {kind: _changes(_named(_part(a, kind)), _named(_part(b, kind))) for kind in KINDS}
    return {
        "intents": _intents(_examples(a), _examples(b)),
        "stories": _changes(_titled(a, "stories", "story"), _titled(b, "stories", "story")),
        "rules": _changes(_titled(a, "rules", "rule"), _titled(b, "rules", "rule")),
        **kinds,
        "config": {key: {"a": a.config.get(key), "b": b.config.get(key)} for key in _differing(a.config, b.config)},
        "session": {
            key: {"a": a.domain.get(key), "b": b.domain.get(key)}
            for key in ("session_config", "config")
            if a.domain.get(key) != b.domain.get(key)
        },
    }


def is_empty(found: dict[str, Any]) -> bool:
    """Whether nothing differs that is trained from."""
    return not any(any(part.values()) if isinstance(part, dict) else part for part in found.values())


def _differing(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    return sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))


def _part(project: Project, kind: str) -> Any:
    """What the domain says, or for responses and flows the training data beside it."""
    trained = project.training.get(kind)
    declared = project.domain.get(kind)
    if isinstance(trained, dict) and isinstance(declared, dict):
        return {**declared, **trained}
    return declared or trained


def _named(value: Any) -> dict[str, Any]:
    """Names with their definitions, of a mapping or of a list of names and `{name: definition}`."""
    if isinstance(value, dict):
        return {str(name): definition for name, definition in value.items()}
    named: dict[str, Any] = {}
    for item in value if isinstance(value, list) else []:
        named |= {str(name): options for name, options in item.items()} if isinstance(item, dict) else {str(item): None}
    return named


def _titled(project: Project, section: str, title: str) -> dict[str, Any]:
    """The stories or rules by their names; several of one name are told apart by a number."""
    found: dict[str, Any] = {}
    for item in project.training.get(section, []):
        name = str(item.get(title) or "without a name") if isinstance(item, dict) else str(item)
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name} ({number})"
        found[unique] = item
    return found


def _changes(a: dict[str, Any], b: dict[str, Any]) -> Changes:
    return {
        "added": sorted(b.keys() - a.keys()),
        "removed": sorted(a.keys() - b.keys()),
        "changed": sorted(name for name in a.keys() & b.keys() if a[name] != b[name]),
    }


# Examples


def _examples(project: Project) -> dict[str, dict[str, None]]:
    """The examples of each intent, each once, in their order."""
    found: dict[str, dict[str, None]] = {}
    for item in project.training.get("nlu", []):
        if isinstance(item, dict) and isinstance(item.get("intent"), str):
            found.setdefault(item["intent"], {}).update(dict.fromkeys(_texts(item.get("examples"))))
    return found


def _texts(examples: Any) -> Iterable[str]:
    if isinstance(examples, str):
        return [text for line in examples.splitlines() if (text := _LINE.sub("", line, count=1).strip())]
    items = examples if isinstance(examples, list) else []
    return [str(item.get("text", "")).strip() for item in items if isinstance(item, dict)]


def _intents(a: dict[str, dict[str, None]], b: dict[str, dict[str, None]]) -> dict[str, Any]:
    changed = [
        _intent(name, a[name], b[name]) for name in sorted(a.keys() & b.keys()) if a[name].keys() != b[name].keys()
    ]
    return {
        "added": [_intent(name, {}, b[name]) for name in sorted(b.keys() - a.keys())],
        "removed": [_intent(name, a[name], {}) for name in sorted(a.keys() - b.keys())],
        "changed": changed,
    }


def _intent(name: str, a: dict[str, None], b: dict[str, None]) -> dict[str, Any]:
    added, removed = [text for text in b if text not in a], [text for text in a if text not in b]
    return {
        "intent": name,
        "examples_added": len(added),
        "examples_removed": len(removed),
        "added": [text[:MAX_EXAMPLE] for text in added[:MAX_EXAMPLES]],
        "removed": [text[:MAX_EXAMPLE] for text in removed[:MAX_EXAMPLES]],
    }
