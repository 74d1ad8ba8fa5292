"""docker-compose.override.yml: the generated services between two lines, and round them what was written by hand.

What stands by hand is kept byte by byte. A text is given only if YAML reads from it what was there by hand and what was
generated, both as they were; whatever cannot be merged so is refused with its reason.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from environments.compose import yaml_text
from environments.compose.generating import Elsewhere, Generated
from environments.compose.service import Service
from environments.yaml_file import SyntaxErrorAt, compose

NAME = "docker-compose.override.yml"
HEAD = """\
# The Rasa servers, which compose adds to docker-compose.yml. What stands between the two long lines is generated from
# environments.yml and the database: `manage.py compose --write`. Services of your own may stand below.
"""
BEGIN = "# >>> manage.py compose: generated, not to be edited here >>>"
END = "# <<< manage.py compose <<<"

_BEGIN_LINE = re.compile(rf"[ \t]*{re.escape(BEGIN)} ([0-9a-f]{{64}})?[ \t]*\r?\n?")
_MAIN = "services"
_OPEN, _EMPTY = f"{_MAIN}:\n", f"{_MAIN}: {{}}\n"
# Compose 1.29 takes a file without services for one of its oldest format, unless it has networks.
_NOTHING = f"networks:\n  default: {{}}\n{_EMPTY}"
_STUB = "controlplane-generated"  # in place of all generated services


class OverrideRefused(Exception):
    """The file cannot be merged. `edited`: because of what was changed between the lines."""

    def __init__(self, reason: str, *, edited: bool = False) -> None:
        super().__init__(reason)
        self.edited = edited


@dataclass(frozen=True)
class _Span:
    """The lines from the one that begins the generated part to after the one that ends it."""

    first: int
    after: int


def services_text(services: Sequence[Service], indent: int = 2) -> str:
    """The services as they stand in the file, a blank line before each."""
    return "".join(
        "\n" + yaml_text.emit({item.name: item.definition}, _placed(item), indent=indent) for item in services
    )


def _placed(item: Service) -> dict[tuple[str, ...], str]:
    return {(item.name, *path): text for path, text in item.comments.items()}


def merge(existing: str | None, generated: Generated, *, overwrite: bool = False) -> str:
    """The file with the generated services in it; `overwrite` also where they were edited by hand."""
    lines = (existing or "").splitlines(keepends=True)
    span = _span(lines)
    if span and not overwrite and _was_edited(lines, span):
        raise OverrideRefused(
            f"{NAME} was edited between the lines that say not to (from line {span.first + 1}). Say it in "
            "environments.yml, or move it out of them; `--overwrite` drops it.",
            edited=True,
        )
    root = _root(_without_block(lines, span))
    if existing and not span and not generated.services:
        return existing
    by_hand = _by_hand(root)
    _check_names(by_hand, generated)
    kept = _values(root, by_hand)
    for place in _places(lines, span, root, bool(generated.services)):
        added = {"networks"} if place.head == _NOTHING else set()
        if _reads_as(place.around(_block(generated, by_hand, place, stub=True)), kept, added, generated):
            return place.around(_block(generated, by_hand, place))
    raise OverrideRefused(
        f"{NAME} cannot be added to: its `services` are not written one below the other, or the generated lines were "
        "moved. Write `services:` on a line of its own, each service below it, indented alike."
    )


# Where the generated part is, or goes


def _span(lines: Sequence[str]) -> _Span | None:
    begins = [number for number, line in enumerate(lines) if line.strip().startswith(BEGIN)]
    ends = [number for number, line in enumerate(lines) if line.strip() == END]
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise OverrideRefused(
            f"{NAME} is damaged: of the two lines round the generated part, `{BEGIN}` and `{END}`, one is missing or "
            "stands twice. Bring the file back from a copy; where it holds nothing of your own, delete it."
        )
    return _Span(begins[0], ends[0] + 1)


def _was_edited(lines: Sequence[str], span: _Span) -> bool:
    said = _BEGIN_LINE.fullmatch(lines[span.first])
    inside = "".join(lines[span.first + 1 : span.after - 1])
    return said is None or said[1] != _digest(inside)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _without_block(lines: Sequence[str], span: _Span | None) -> str:
    """The file with a stub in place of the generated part: to read all of that takes seconds."""
    if span is None:
        return "".join(lines)
    inside = lines[span.first + 1 : span.after - 1]
    first = lines[span.first]
    margin = first[: len(first) - len(first.lstrip(" "))]
    stub = f"{margin}{_STUB}:\n"
    if any(line.startswith(f"{_MAIN}:") for line in inside):
        indent = next((line for line in inside if line.startswith(" ") and line.strip()), "  ")
        stub = f"{_MAIN}:\n{indent[: len(indent) - len(indent.lstrip(' '))]}{_STUB}:\n"
    return "".join([*lines[: span.first], stub, *lines[span.after :]])


def _root(text: str) -> dict[str, Node]:
    try:
        root = compose(text)
    except SyntaxErrorAt as refused:
        raise OverrideRefused(
            f"{NAME} is no YAML that can be read ({refused.error}). Mend it, or bring it back from a copy."
        ) from None
    if root is None:
        return {}
    if not isinstance(root, MappingNode):
        raise OverrideRefused(f"{NAME} is no compose file: at the top it has no `key: value`. Mend it, or delete it.")
    found = {str(key.value): value for key, value in root.value}
    if len(found) < len(root.value):
        raise OverrideRefused(f"{NAME} has a key at the top that stands twice. Make one of the two.")
    return found


def _by_hand(root: dict[str, Node]) -> dict[str, tuple[Node, Node]]:
    """The services that are written by hand: key and value."""
    services = root.get(_MAIN)
    if not isinstance(services, MappingNode):
        return {}
    return {str(key.value): (key, value) for key, value in services.value if key.value != _STUB}


def _check_names(by_hand: dict[str, Any], generated: Generated) -> None:
    for item in generated.services:
        if item.name in by_hand:
            raise OverrideRefused(
                f"{NAME} has a service {item.name} written by hand, and one is to be generated. Remove it, or say "
                f"`deployment: {{enabled: false}}` of {item.server.label}."
            )


@dataclass(frozen=True)
class _Place:
    """Where the generated part may go. `head`: what it begins with, where `services` is not written by hand."""

    before: str
    after: str
    head: str = ""

    def around(self, block: str) -> str:
        return self.before + block + self.after


def _places(lines: Sequence[str], span: _Span | None, root: dict[str, Node], any_services: bool) -> Iterator[_Place]:
    """The right one is found by reading what comes out."""
    text = "".join(lines)
    if not lines:
        yield _Place(HEAD, "", _OPEN if any_services else _NOTHING)
    elif span:
        before, after = "".join(lines[: span.first]), "".join(lines[span.after :])
        for head in (_OPEN, "") if any_services else ("", _NOTHING, _EMPTY, _OPEN):
            yield _Place(before, after, head)
    elif _MAIN in root:
        place = next((number for number, line in enumerate(lines) if line.startswith(f"{_MAIN}:")), 0) + 1
        yield _Place("".join(lines[:place]), "".join(lines[place:]))
    else:
        yield _Place(text if text.endswith("\n") else f"{text}\n", "", _OPEN)


def _block(generated: Generated, by_hand: dict[str, tuple[Node, Node]], place: _Place, *, stub: bool = False) -> str:
    indent = next((int(key.start_mark.column) for key, _ in by_hand.values()), 2)
    services = f"{' ' * indent}{_STUB}:\n" if stub else services_text(generated.services, indent)
    margin = "" if place.head else " " * indent
    notes = "".join(f"{margin}# {line}\n" for line in map(_note, generated.elsewhere))
    inside = notes + place.head + (services if generated.services else "")
    return f"{margin}{BEGIN} {_digest(inside)}\n{inside}{margin}{END}\n"


def _note(elsewhere: Elsewhere) -> str:
    return f"Not here: {elsewhere.server.label}, because {elsewhere.reason}."


# Whether it says what it is to say


def _values(root: dict[str, Node], by_hand: dict[str, tuple[Node, Node]]) -> dict[str, Any]:
    """What is written by hand."""
    others = {name: _value(node) for name, node in root.items() if name != _MAIN}
    return others | {_MAIN: {name: _value(value) for name, (_, value) in by_hand.items()}}


def _reads_as(text: str, kept: dict[str, Any], added: set[str], generated: Generated) -> bool:
    """Whether a file with a stub of what is generated has that among its services, and all that is written by hand;
    `added` are further keys at its top that are generated."""
    try:
        root = _root(text)
    except OverrideRefused:
        return False
    services = root.get(_MAIN)
    names = [str(key.value) for key, _ in services.value] if isinstance(services, MappingNode) else []
    is_there = isinstance(services, MappingNode) and (_STUB in names) == bool(generated.services)
    by_hand = _values({name: node for name, node in root.items() if name not in added}, _by_hand(root))
    return is_there and len(set(names)) == len(names) and kept == by_hand


def _value(node: Node) -> Any:
    """What a node says, tags that only compose knows included."""
    if isinstance(node, MappingNode):
        return (node.tag, [(_value(key), _value(value)) for key, value in node.value])
    if isinstance(node, SequenceNode):
        return (node.tag, [_value(item) for item in node.value])
    return (node.tag, node.value)
