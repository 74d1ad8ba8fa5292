"""The `deployment` of environments.yml: with which image, limits, arguments and variables its Rasa servers run.

`${VAR}` in it is left to compose, which fills it in from `.env`; only its spelling is judged here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from ruamel.yaml.nodes import Node, SequenceNode

from environments.yaml_file import Reader, variables_in

MAX_CPUS = 1024.0

_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_REPOSITORY = r"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
_IMAGE = re.compile(rf"(?P<repository>{_REPOSITORY})(?::(?P<tag>{_TAG}))?(?:@sha256:[0-9a-f]{{64}})?", re.ASCII)
_VERSION = re.compile(_TAG, re.ASCII)
_BYTES = re.compile(r"[1-9][0-9]{0,12}[bkmg]?", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ONE_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)

# What the control plane says itself: of `rasa run`, and of the server's variables.
OWN_ARGUMENTS = frozenset(
    {
        "--enable-api",
        "--port",
        "-p",
        "--endpoints",
        "--credentials",
        "--auth-token",
        "-t",
        "--jwt-secret",
        "--jwt-method",
        "--jwt-private-key",
        "--remote-storage",
        "--model",
        "-m",
    }
)
OWN_VARIABLES = frozenset({"RASA_ENVIRONMENT", "HOSTNAME", "SANIC_WORKERS", "RASA_LICENSE"})


class Edition(StrEnum):
    OPEN_SOURCE = "open-source"
    PRO = "pro"


@dataclass(frozen=True)
class Deployment:
    """None, or nothing, where it is not said. `image` and `version` may hold variables; `license` is one."""

    enabled: bool | None = None
    image: str | None = None
    version: str | None = None
    edition: Edition | None = None
    license: str | None = None
    memory: str | None = None
    memory_reservation: str | None = None
    cpus: float | None = None
    arguments: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)

    def over(self, default: "Deployment") -> "Deployment":
        """What is said here, and the default of what is not. Another image has a version of its own."""
        said = {item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) is not None}
        both = {item.name: getattr(default, item.name) for item in fields(default)} | said
        both["environment"] = {**default.environment, **self.environment}
        if self.image is not None:
            both |= {"version": self.version, "edition": self.edition}
        return Deployment(**both)


def one_variable(text: str) -> str:
    """The name of the variable that a text is and nothing else, empty where it is not."""
    found = _ONE_VARIABLE.fullmatch(text)
    return found[1] if found else ""


def tag_of(image: str) -> str:
    """The tag of an image without variables, empty where it has none."""
    found = _IMAGE.fullmatch(image)
    return found["tag"] or "" if found else ""


def without_tag(image: str) -> str:
    found = _IMAGE.fullmatch(image)
    return found["repository"] if found else image


def has_tag(image: str) -> bool:
    """Also one by digest; of one with variables nobody can tell, and it is taken to be whole."""
    return bool(variables_in(image)) or "@" in image or bool(tag_of(image))


# Reading


def _image(reader: Reader, node: Node, key: str) -> str | None:
    text = reader.template(node, key)
    if text is None or variables_in(text) or _IMAGE.fullmatch(text):
        return text
    reader.refuse(key, "is not the name of an image. Write it like rasa/rasa, or with its tag like rasa/rasa:3.6.21.")
    return None


def _version(reader: Reader, node: Node, key: str) -> str | None:
    text = reader.template(node, key, 'Write it in quotes if it looks like a number: "3.6".')
    if text is None or variables_in(text) or _VERSION.fullmatch(text):
        return text
    reader.refuse(key, "is not a tag of an image. Write it like 3.6.21.")
    return None


def _bytes(reader: Reader, node: Node, key: str) -> str | None:
    text = reader.scalar_as_written(node, key)
    if text is None or _BYTES.fullmatch(text.lower()):
        return text.lower() if text else None
    reader.refuse(key, "is not an amount of memory. Write it like 512m or 2g.")
    return None


def _cpus(reader: Reader, node: Node, key: str) -> float | None:
    return reader.number(node, key, "Write how many, like 1.5.", MAX_CPUS)


def _license(reader: Reader, node: Node, key: str) -> str | None:
    text = reader.template(node, key)
    if text is not None and not one_variable(text):
        reader.refuse(key, "is a secret, and is named here by its variable alone. Write `license: ${RASA_LICENSE}`.")
        return None
    return text


def _arguments(reader: Reader, node: Node, key: str) -> tuple[str, ...] | None:
    if not isinstance(node, SequenceNode):
        reader.refuse(key, 'is not a list. Write it like `arguments: [--debug, --cors, "*"]`.')
        return None
    found = [reader.template(item, key) for item in node.value]
    for text in found:
        if text is not None and text.partition("=")[0] in OWN_ARGUMENTS:
            reader.refuse(key, f"holds {text.partition('=')[0]}, which the control plane says itself. Remove it.")
    return tuple(text for text in found if text is not None)


def _environment(reader: Reader, node: Node, key: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, item in reader.entries(node, key, "`environment: {LOG_LEVEL: DEBUG}`").items():
        dotted = f"{key}.{name}"
        text = reader.template(item, dotted)
        if not _NAME.fullmatch(name):
            reader.refuse(
                key, "has a name that no variable can have. Write letters, digits and _.", reader.lines[dotted]
            )
        elif name in OWN_VARIABLES:
            reader.refuse(dotted, "is set by the control plane itself. Remove it.")
        elif text is not None:
            found[name] = text
    return found


_READ: dict[str, Callable[[Reader, Node, str], Any]] = {
    "enabled": Reader.flag,
    "image": _image,
    "version": _version,
    "edition": lambda reader, node, key: reader.choice(node, key, [edition.value for edition in Edition]),
    "license": _license,
    "memory": _bytes,
    "memory_reservation": _bytes,
    "cpus": _cpus,
    "arguments": _arguments,
    "environment": _environment,
}
KEYS = tuple(_READ)
_EXAMPLE = "`deployment: {version: 3.6.21, memory: 2g}`"


def deployment(reader: Reader, node: Node, path: str) -> Deployment:
    entries = reader.known(reader.entries(node, path, _EXAMPLE), path, KEYS)
    values = {key: _READ[key](reader, item, f"{path}.{key}") for key, item in entries.items()}
    read = {key: value for key, value in values.items() if value is not None}
    if "edition" in read:
        read["edition"] = Edition(read["edition"])
    if "version" in read and has_tag(read.get("image", "")):
        reader.refuse(f"{path}.version", "is said twice: the image has a tag as well. Remove one of the two.")
    return Deployment(**read)
