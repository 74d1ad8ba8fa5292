"""YAML files that people write: typed values with line numbers out, every error collected instead of the first.

No error repeats a value of the file, which may be a secret.
"""

import difflib
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.reader import ReaderError

from accounts.problems import Problem

VARIABLE = re.compile(r"\$\{([^}]*)\}?")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
TAG = "tag:yaml.org,2002:"
TEXT_CURE = "Write text, in quotes if it looks like a number."
NOT_UNDERSTOOD = "has a ${…} that is not understood. Only ${NAME} is: letters, digits and _."


@dataclass(frozen=True, order=True)
class FileError:
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.key}: {self.message}" if self.key else f"line {self.line}: {self.message}"


def suggestion(word: str, known: Iterable[str]) -> str:
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known) or 'none'}."


def compose(text: str) -> Node | None:
    """The root node, None for an empty file; raises `SyntaxErrorAt`."""
    try:
        root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        raise SyntaxErrorAt(_syntax_error(error, text)) from None
    return root


class SyntaxErrorAt(Exception):
    """The text is not YAML."""

    def __init__(self, error: FileError) -> None:
        super().__init__(str(error))
        self.error = error


def _syntax_error(error: YAMLError, text: str) -> FileError:
    """Without the snippet that the parser would print: it may hold a token."""
    cure = "Mend the YAML there: indentation by spaces, one `key: value` a line, brackets and quotes closed."
    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        return FileError(error.problem_mark.line + 1, "", f"the YAML cannot be read ({error.problem}). {cure}")
    position = error.position if isinstance(error, ReaderError) else 0
    return FileError(text[:position].count("\n") + 1, "", f"holds a character that YAML does not allow. {cure}")


def name_of_variable(match: re.Match[str]) -> str:
    """The name in a match of `VARIABLE`, empty where it is none."""
    return match[1] if match[0].endswith("}") and _VARIABLE_NAME.fullmatch(match[1]) else ""


def variables_in(text: str) -> list[str]:
    """The names of the variables in a text whose `${…}` were judged, in order."""
    return [match[1] for match in VARIABLE.finditer(text)]


def is_null(node: Node) -> bool:
    return bool(node.tag == f"{TAG}null")


class Reader:
    """Reads typed values out of YAML nodes and collects what is wrong; a bad value reads as its default."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.errors: list[FileError] = []
        self.lines: dict[str, int] = {}

    def refuse(self, key: str, message: str, line: int | None = None) -> None:
        """`key` is the dotted path; without a line of its own it is told at the nearest one above it."""
        above = key
        while above not in self.lines and "." in above:
            above = above.rpartition(".")[0]
        self.errors.append(FileError(line or self.lines.get(above, 1), key, message))

    def attempt(self, key: str, check: Callable[[], None]) -> bool:
        """Whether `check` refuses nothing; its refusal becomes an error of `key`."""
        try:
            check()
        except Problem as problem:
            self.refuse(key, problem.detail)
            return False
        return True

    def entries(self, node: Node, path: str, example: str) -> dict[str, Node]:
        """The entries of a mapping, by name; of a key that stands twice, the first."""
        if not isinstance(node, MappingNode):
            self.refuse(path, f"is not a mapping. Write it like this: {example}")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self.refuse(path, "has a key that is not a word. Write `key: value`.", line)
                continue
            dotted = f"{path}.{key.value}" if path else key.value
            if key.value in found:
                message = f"stands here again, after line {self.lines[dotted]}. Remove one of the two."
                self.refuse(dotted, message, line)
                continue
            self.lines[dotted] = line
            found[key.value] = value
        return found

    def known(self, entries: dict[str, Node], path: str, known: Collection[str]) -> dict[str, Node]:
        """The entries that are understood; the others are refused."""
        for name in entries.keys() - set(known):
            dotted = f"{path}.{name}" if path else name
            self.refuse(dotted, f"is an unknown key. {suggestion(name, known)}")
        return {name: node for name, node in entries.items() if name in known}

    def scalar(self, node: Node, key: str, kinds: Collection[str], cure: str) -> str | None:
        """The text of a scalar of one of `kinds` (YAML's words) with its variables expanded, None if refused.

        A value made of variables may be of any kind: its text decides.
        """
        if isinstance(node, ScalarNode) and node.tag == f"{TAG}str" and "${" in node.value:
            return self.expand(node.value, key)
        if not isinstance(node, ScalarNode) or node.tag not in {f"{TAG}{kind}" for kind in kinds}:
            self.refuse(key, f"is not of the right type. {cure}")
            return None
        text: str = node.value
        return text

    def template(self, node: Node, key: str, cure: str = TEXT_CURE) -> str | None:
        """The text of a scalar whose variables are left for who reads it later; only how they are named is judged."""
        if not isinstance(node, ScalarNode) or node.tag != f"{TAG}str":
            self.refuse(key, f"is not of the right type. {cure}")
            return None
        text: str = node.value
        if any(0xD800 <= ord(letter) < 0xE000 or letter == "\0" for letter in text):
            self.refuse(key, "holds a character that no program can be given (a NUL, or half of a pair). Remove it.")
            return None
        if all(name_of_variable(match) for match in VARIABLE.finditer(text)):
            return text
        self.refuse(key, NOT_UNDERSTOOD)
        return None

    def expand(self, text: str, key: str) -> str | None:
        bad = False
        for match in VARIABLE.finditer(text):
            name = name_of_variable(match)
            if not name:
                self.refuse(key, NOT_UNDERSTOOD)
                bad = True
            elif name not in self.variables:
                self.refuse(key, f"the variable {name} is not set. Set it, or write the value in place of ${{{name}}}.")
                bad = True
        return None if bad else VARIABLE.sub(lambda match: self.variables[match[1]], text)

    # The types a key may have. Each gives None where it refused.

    def text(self, node: Node, key: str) -> str | None:
        return self.scalar(node, key, ["str"], TEXT_CURE)

    def scalar_as_written(self, node: Node, key: str) -> str | None:
        """Text or a number, as it stands in the file."""
        return self.scalar(node, key, ["str", "int"], TEXT_CURE)

    def flag(self, node: Node, key: str) -> bool | None:
        cure = "Write true or false."
        text = self.scalar(node, key, ["bool"], cure)
        if text is not None and text.lower() not in ("true", "false"):
            self.refuse(key, f"is neither true nor false. {cure}")
            return None
        return text.lower() == "true" if text else None

    def count(self, node: Node, key: str, maximum: int) -> int | None:
        cure = f"Write a whole number from 1 to {maximum}."
        text = self.scalar(node, key, ["int"], cure)
        if text is None:
            return None
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not 1 <= int(text) <= maximum:
            self.refuse(key, f"is out of range. {cure}")
            return None
        return int(text)

    def number(self, node: Node, key: str, cure: str, maximum: float) -> float | None:
        """More than 0, up to `maximum`."""
        text = self.scalar(node, key, ["int", "float"], cure)
        if text is None:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number <= maximum:
            self.refuse(key, f"is out of range. {cure}")
            return None
        return number

    def choice(self, node: Node, key: str, choices: Collection[str]) -> str | None:
        cure = f"Write one of: {', '.join(choices)}."
        text = self.scalar(node, key, ["str"], cure)
        if text is not None and text not in choices:
            self.refuse(key, f"is not known. {cure}")
            return None
        return text
