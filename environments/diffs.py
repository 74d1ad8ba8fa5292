"""What differs between two models, by the `metadata.json` of their archives. Pure: no database, no archive is read.

Metadata is what an upload said: nothing of its inner shape is taken for granted.
"""

from typing import Any

KINDS = ("intents", "entities", "slots", "responses", "actions", "forms", "flows")

Metadata = dict[str, Any]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _named(value: Any) -> dict[str, Any]:
    """Names with their definitions, of a mapping or of a list of names and `{name: definition}`."""
    if isinstance(value, dict):
        return value
    named: dict[str, Any] = {}
    for item in value if isinstance(value, list) else []:
        if isinstance(item, str):
            named[item] = None
        elif isinstance(item, dict):
            named |= item
    return named


def declared(metadata: Metadata, kind: str) -> dict[str, Any]:
    """What a model declares of `kind`: names with their definitions. Flows stand beside the domain (Rasa Pro)."""
    domain = _mapping(metadata.get("domain"))
    return _named(domain.get(kind) or metadata.get(kind))


def _nodes(metadata: Metadata) -> dict[str, Any]:
    return _mapping(_mapping(metadata.get("predict_schema")).get("nodes"))


def _component(node: Any) -> dict[str, Any]:
    """A node of the graph as config.yml would spell it."""
    uses = str(_mapping(node).get("uses", ""))
    name = uses.rsplit(".", 1)[-1] if uses.startswith("rasa.") else uses
    return {"name": name} | _mapping(_mapping(node).get("config"))


def policies(metadata: Metadata) -> list[dict[str, Any]]:
    """The policies in their order: what the last node of the graph chooses among (`policy0`, `policy1`, …)."""
    nodes = _nodes(metadata)
    needs = _mapping(_mapping(nodes.get("select_prediction")).get("needs"))
    return [_component(nodes.get(str(node))) for role, node in needs.items() if role.startswith("policy")]


def pipeline(metadata: Metadata) -> list[dict[str, Any]]:
    """The NLU components in their order: what a message passes between the converter and the RegexMessageHandler."""
    nodes = _nodes(metadata)
    chain: list[str] = []
    node = _mapping(_mapping(nodes.get("run_RegexMessageHandler")).get("needs")).get("messages")
    while isinstance(node, str) and node.startswith("run_") and node in nodes and node not in chain:
        chain.insert(0, node)
        node = _mapping(_mapping(nodes[node]).get("needs")).get("messages")
    return [_component(nodes[name]) for name in chain]


def _changes(a: dict[str, Any], b: dict[str, Any]) -> dict[str, list[str]]:
    return {
        "added": sorted(b.keys() - a.keys()),
        "removed": sorted(a.keys() - b.keys()),
        "changed": sorted(name for name in a.keys() & b.keys() if a[name] != b[name]),
    }


def _version(metadata: Metadata) -> str | None:
    version = metadata.get("rasa_open_source_version")
    return version if isinstance(version, str) else None


def diff(a: Metadata, b: Metadata) -> dict[str, Any]:
    """What `b` has that `a` has not, and the other way round, by kind; pipeline, policies and Rasa version of both.

    `{}` stands for no model.
    """
    kinds: dict[str, Any] = {kind: _changes(declared(a, kind), declared(b, kind)) for kind in KINDS}
    return kinds | {
        "pipeline": {"a": pipeline(a), "b": pipeline(b)},
        "policies": {"a": policies(a), "b": policies(b)},
        "version": {"a": _version(a), "b": _version(b)},
    }
