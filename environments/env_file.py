"""The `.env` beside docker-compose.yml: which variables it sets, and the same with further ones.

A value is written so that every version of compose reads it alike; one that cannot be is refused. No error
repeats one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

NAME = ".env"
HEAD = "# Read by compose, which gives each service what it needs. Secrets: keep it out of the repository.\n"

_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*[=:](.*)", re.ASCII)
_BARE = re.compile(r"[A-Za-z0-9_./:@%+=,~^-]+", re.ASCII)
_QUOTABLE = re.compile(r"[^'\\\r\n\0]*")


class ValueRefused(Exception):
    """The value of a variable cannot be written so that every compose reads it alike."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} holds a quote, a backslash, a line break or `${{`, which versions of compose read differently in "
            f"{NAME}. Choose another value."
        )


@dataclass(frozen=True)
class Written:
    """The text, and the names of what was added to it and of what was replaced in it."""

    text: str
    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


def values(text: str) -> dict[str, str]:
    """What is set, by name; a value as far as it is plain. Of several the last one holds."""
    matches = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match[1]: _plain(match[2]) for match in matches if match}


def _plain(written: str) -> str:
    text = written.strip()
    for quote in "'\"":
        if len(text) > 1 and text.startswith(quote) and text.endswith(quote):
            return text[1:-1]
    return text.partition(" #")[0].rstrip()


def with_values(text: str, wanted: Mapping[str, str]) -> Written:
    """The text with each of `wanted` set: what is empty or another value is replaced in its line, the rest added."""
    present = values(text)
    replaced = [name for name, value in wanted.items() if name in present and present[name] != value]
    added = [name for name in wanted if name not in present]
    if not (replaced or added):
        return Written(text)
    lines = (text or HEAD).splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    for number, line in enumerate(lines):
        match = _LINE.fullmatch(line.rstrip("\r\n"))
        if match and match[1] in replaced:
            lines[number] = _assignment(match[1], wanted[match[1]])
    lines += [_assignment(name, wanted[name]) for name in added]
    return Written("".join(lines), tuple(added), tuple(replaced))


def _assignment(name: str, value: str) -> str:
    if _BARE.fullmatch(value):
        return f"{name}={value}\n"
    if "${" in value or not _QUOTABLE.fullmatch(value):
        raise ValueRefused(name)
    return f"{name}='{value}'\n"
