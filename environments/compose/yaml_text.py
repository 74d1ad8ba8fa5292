"""Values → YAML in block style: the same text for the same values, read alike by every reader of YAML.

A text stands plain only if no version of YAML takes it for something else; every other one is quoted. Comments are
given by the path of what they stand above.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

Path = tuple[str, ...]
Comments = Mapping[Path, str]

_PLAIN = re.compile(r"(?:--?|/|\./)?[A-Za-z][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)*|[1-9][0-9]*[smg]", re.ASCII)
# What some version of YAML takes for a truth value, nothing or a number.
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


# All that no reader of YAML refuses or takes for the end of a line.
_PRINTABLE = re.compile(
    "[\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)


class Unquoted(str):
    """A text that must stand plain, whoever reads it: it was judged to be one."""

    __slots__ = ()


class Program(str):
    """Lines of printable ASCII, each with its end and none of them empty, that stand as they are."""

    __slots__ = ()


def emit(values: Mapping[str, Any], comments: Comments, *, indent: int = 0) -> str:
    return "".join(f"{line}\n" if line else "\n" for line in _mapping(values, comments, (), indent))


def _mapping(values: Mapping[str, Any], comments: Comments, path: Path, indent: int) -> Iterator[str]:
    margin = " " * indent
    for name, value in values.items():
        here = (*path, name)
        if here in comments:
            yield from (f"{margin}# {line}" for line in comments[here].splitlines())
        head = f"{margin}{scalar(name)}:"
        if isinstance(value, Mapping) and value:
            yield head
            yield from _mapping(value, comments, here, indent + 2)
        elif isinstance(value, list) and value:
            yield head
            for item in value:
                yield from _item(item, comments, here, indent + 2)
        else:
            yield head if value is None else f"{head} {scalar(value)}"


def _item(item: Any, comments: Comments, path: Path, indent: int) -> Iterator[str]:
    """One of a list. A mapping or a list in it begins on the line of the dash."""
    margin = " " * indent
    if isinstance(item, Mapping) and item:
        lines = list(_mapping(item, comments, path, indent + 2))
    elif isinstance(item, list) and item:
        lines = [line for inner in item for line in _item(inner, comments, path, indent + 2)]
    elif isinstance(item, Program):
        lines = [f"{margin}  |", *(f"{margin}  {line}" for line in item.splitlines())]
    else:
        lines = [f"{margin}  {scalar(item)}"]
    yield f"{margin}- {lines[0][indent + 2 :]}"
    yield from lines[1:]


def scalar(value: Any) -> str:
    """One value; an empty mapping or list counts as one."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Mapping | list):
        return "{}" if isinstance(value, Mapping) else "[]"
    if isinstance(value, Unquoted) or (_PLAIN.fullmatch(value) and value.lower() not in _WORDS):
        return str(value)
    return quoted(value)


def number(value: float) -> str:
    """Without an exponent, which not every reader takes for part of a number."""
    written = format(Decimal(repr(value)), "f")
    return f"{written}.0" if isinstance(value, float) and "." not in written else written


def quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(letter) or _letter(letter) for letter in text) + '"'


def _letter(letter: str) -> str:
    if _PRINTABLE.fullmatch(letter):
        return letter
    return f"\\x{ord(letter):02x}" if ord(letter) < 0x100 else f"\\u{ord(letter):04x}"
