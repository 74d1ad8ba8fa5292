"""One YAML file as Rasa reads it, bounded: a tiny file can stand for more than any machine holds.

libyaml finds the structure, which is what takes time; ruamel.yaml decides what a scalar means, as in Rasa (YAML 1.2).
"""

from dataclasses import dataclass
from io import StringIO
from types import SimpleNamespace
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag

from environments.errors import BundleInvalid

# Of one file, as it is written and with its aliases written out; each node takes hundreds of bytes while it is read.
MAX_NODES = 500_000
MAX_DEPTH = 200

Document = dict[str, Any]
# Where something stands in a document: keys and places in lists.
Path = tuple[str | int, ...]

_STRING, _SEQUENCE, _MAPPING = (Tag(suffix=f"tag:yaml.org,2002:{kind}") for kind in ("str", "seq", "map"))
# Wheels of PyYAML bring libyaml; without it the same is done slowly.
_Parser: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(frozen=True)
class Source:
    """A file that was read: the values of its document, and where in it they stand."""

    path: str
    document: Any
    root: Node | None

    def at(self, *keys: str | int) -> str:
        """`path:line` of what the keys lead to, or of the last that is there."""
        node = self.root
        line = _line(node)
        for key in keys:
            node, found = _child(node, key)
            if node is None:
                break
            line = found
        return f"{self.path}:{line}" if line else self.path


def mapping(path: str, content: bytes) -> Source:
    """A file that must be a mapping; an empty one is."""
    source = load(path, content)
    if source.document is None:
        return Source(path, {}, None)
    if not isinstance(source.document, dict):
        raise BundleInvalid(f"{path}:1: The file must be a mapping of keys such as nlu, stories or intents.")
    return source


def load(path: str, content: bytes) -> Source:
    try:
        resolver = VersionedResolver(version="1.2")
        root = _Composer(_Parser(_as_rasa_reads(content)), resolver).single()
        return Source(path, _constructed(root, resolver), root)
    except UnicodeError as error:
        raise BundleInvalid(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
    except (MarkedYAMLError, yaml.MarkedYAMLError) as error:
        mark = error.problem_mark or error.context_mark
        # What is missing at the end is missed on the line after it.
        last = len(content.splitlines()) or 1
        where, column = (f":{min(mark.line + 1, last)}", f" at column {mark.column + 1}") if mark else ("", "")
        what = str(error.problem or error.context or "not valid YAML").strip().rstrip(".")[:300]
        raise BundleInvalid(f"{path}{where}: {what}{column}. Correct the YAML.") from error
    except (_TooLarge, RecursionError) as error:
        raise BundleInvalid(
            f"{path} is too large, too deep or repeats itself by aliases. Write it out, in several files."
        ) from error
    except (YAMLError, yaml.YAMLError, ValueError, OverflowError, TypeError, LookupError, AttributeError) as error:
        # The last four are its words for a tag on the wrong value, and for a mapping as a part of a key.
        what = str(error)[:300].rstrip(".")
        raise BundleInvalid(f"{path}: {what}. Correct the YAML.") from error


class _TooLarge(YAMLError):
    pass


class _Composer:
    """The nodes of the one document that the events of `parser` make; refuses too many of them while it reads."""

    def __init__(self, parser: Any, resolver: Any) -> None:
        self._next, self._resolver = parser.get_event, resolver
        self._anchors: dict[str, Node] = {}
        # What plain words are; files say the same ones over and over.
        self._plain: dict[str, Tag] = {}
        self._nodes = 0

    def single(self) -> Node | None:
        self._next()  # the stream's start
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        root = self._node(self._next(), 0)
        self._next()  # the document's end
        more = self._next()
        if not isinstance(more, yaml.StreamEndEvent):
            raise MarkedYAMLError(problem="there is a second document", problem_mark=more.start_mark)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise _TooLarge
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise MarkedYAMLError(problem=f"found undefined alias {event.anchor}", problem_mark=event.start_mark)
            return self._anchors[event.anchor]
        if isinstance(event, yaml.ScalarEvent):
            if "\0" in event.value:
                raise MarkedYAMLError(problem="found a NUL, which is no text", problem_mark=event.start_mark)
            return self._known(event, ScalarNode(self._tag(event), event.value, event.start_mark, style=event.style))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        return self._mapping(event, depth)

    def _sequence(self, event: Any, depth: int) -> Node:
        node = self._known(event, SequenceNode(_given(event) or _SEQUENCE, [], event.start_mark))
        while not isinstance(item := self._next(), yaml.SequenceEndEvent):
            node.value.append(self._node(item, depth + 1))
        return node

    def _mapping(self, event: Any, depth: int) -> Node:
        node = self._known(event, MappingNode(_given(event) or _MAPPING, [], event.start_mark))
        while not isinstance(item := self._next(), yaml.MappingEndEvent):
            key = self._node(item, depth + 1)
            node.value.append((key, self._node(self._next(), depth + 1)))
        return node

    def _known(self, event: Any, node: Node) -> Node:
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _tag(self, event: Any) -> Tag:
        if given := _given(event):
            return given
        if not event.implicit[0]:
            return _STRING
        if event.value not in self._plain:
            self._plain[event.value] = self._resolver.resolve(ScalarNode, event.value, event.implicit)
        return self._plain[event.value]


def _given(event: Any) -> Tag | None:
    """The tag that is written there."""
    return Tag(suffix=event.tag) if event.tag and event.tag != "!" else None


def _constructed(root: Node | None, resolver: Any) -> Any:
    """The values; refuses what aliases and merges blow up, or tie into a ring, before anything is made of it."""
    if root is None:
        return None
    if _weight(root, {}, 0) >= MAX_NODES:
        raise _TooLarge
    constructor = SafeConstructor(loader=SimpleNamespace(_resolver=resolver))
    constructor.allow_duplicate_keys = False
    return constructor.construct_document(root)


def _weight(node: Node, weights: dict[int, int], depth: int) -> int:
    """How many nodes it is when every alias is written out; `MAX_NODES` for what is too deep or a ring."""
    if id(node) not in weights:
        weights[id(node)] = MAX_NODES  # while it is open: a ring weighs too much
        children = _children(node) if depth <= MAX_DEPTH else []
        weight = sum(_weight(child, weights, depth + 1) for child in children)
        weights[id(node)] = 1 + weight if depth <= MAX_DEPTH else MAX_NODES
    return weights[id(node)]


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _child(node: Node | None, key: str | int) -> tuple[Node | None, int]:
    """What stands under the key, and the line of the key (of the item itself in a list)."""
    if isinstance(node, MappingNode):
        for name, value in node.value:
            if isinstance(name, ScalarNode) and name.value == str(key):
                return value, _line(name)
    elif isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], _line(node.value[key])
    return None, 0


def _line(node: Node | None) -> int:
    return node.start_mark.line + 1 if node is not None and node.start_mark is not None else 0


def _as_rasa_reads(content: bytes) -> str:
    r"""Rasa turns `\u263a` in a file of ASCII alone into the character, surrogate pairs too; nowhere else."""
    text = content.decode("utf-8-sig")
    if not text.isascii():
        return text
    return text.encode().decode("raw_unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16")


def dump(document: Document) -> bytes:
    """The document as YAML that Rasa reads."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.width = 10_000
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = StringIO()
    writer.dump(document, text)
    try:
        return text.getvalue().encode()
    except UnicodeEncodeError as error:
        raise BundleInvalid("The project holds characters that are none (lone surrogates). Remove them.") from error
