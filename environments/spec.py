"""environments.yml → frozen dataclasses. The file is judged as a whole: every error with line, key and cure, at once.

Knows neither Django nor the database; `actions.environments.sync` applies what it returns. No error repeats a value
of the file, which may be a secret.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node

from environments import addresses, names, server_spec
from environments.errors import EnvironmentsFileInvalid
from environments.names import PRODUCTION, WORKER
from environments.server_spec import Deployed
from environments.states import Kind, RasaXWrites
from environments.yaml_file import FileError, Reader, SyntaxErrorAt, compose, is_null, suggestion

DEFAULT_PROJECT = "default"
MAX_COUNT = 1000  # of replicas, and of workers of each
MAX_PULL_INTERVAL = 86_400.0  # seconds
COLOR = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)

OWN_COLORS = {PRODUCTION: "#0e7490", "experimental": "#7c3aed", WORKER: "#64748b"}
OTHER_COLORS = ("#b45309", "#be185d", "#1d4ed8", "#4d7c0f", "#a21caf", "#0f766e", "#9a3412", "#4338ca")


@dataclass(frozen=True)
class DeclaredEnvironment:
    """One environment as the file declares it, defaults filled in.

    `color` None: the one it has, or the next of the palette. `pull_interval` is in seconds, None: learned from the
    polls, or with `pulls_once` there is none. An empty `jwt_secret` stands for the variable JWT_SECRET.
    """

    project: str
    name: str
    line: int
    url: str
    kind: Kind
    protected: bool
    follows: str | None
    token: str = field(default="", repr=False)
    jwt_secret: str = field(default="", repr=False)
    color: str | None = None
    replicas: int = 1
    workers: int = 1
    pull_interval: float | None = None
    pulls_once: bool = False
    rasa_x_writes: RasaXWrites = RasaXWrites.ALLOW
    # For the generated files: the variables that `token` and `jwt_secret` are, empty where they are written out.
    token_variable: str = ""
    jwt_variable: str = ""
    deployed: Deployed = field(default_factory=Deployed)


@dataclass(frozen=True)
class Declaration:
    """The whole file: environments in its order, and every project it names, those without environments too.
    `deployed` holds for the Rasa servers of all of them."""

    projects: tuple[str, ...]
    environments: tuple[DeclaredEnvironment, ...]
    deployed: Deployed = field(default_factory=Deployed)


# Defaults, which environments made through the API share


def default_kind(name: str) -> Kind:
    return Kind.TRAINING if name == WORKER else Kind.SERVING


def default_protected(name: str) -> bool:
    return name == PRODUCTION


def default_follows(name: str, kind: Kind, others: Collection[str]) -> str | None:
    """Production, for the worker of a project that has it."""
    return PRODUCTION if name == WORKER and kind is Kind.TRAINING and PRODUCTION in others else None


def default_color(name: str, taken: Collection[str]) -> str:
    """The name's own colour, else the first of the palette that no other environment of the project has."""
    own = [OWN_COLORS[name]] if name in OWN_COLORS else []
    free = [color for color in (*own, *OTHER_COLORS) if color not in taken]
    return free[0] if free else OTHER_COLORS[len(taken) % len(OTHER_COLORS)]


# Reading


def load(path: Path, variables: Mapping[str, str]) -> Declaration:
    """The declaration in the file; raises `EnvironmentsFileInvalid` with all its errors."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise EnvironmentsFileInvalid(
            f"{path.name} cannot be read ({error.strerror}). Make it, `rasa: {{}}` is enough, or name another file in "
            "CONTROLPLANE_ENVIRONMENTS."
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _invalid(path.name, [FileError(line, "", "is not UTF-8. Save the file as UTF-8.")]) from None
    return parse(text, variables, source=path.name)


def parse(text: str, variables: Mapping[str, str], *, source: str = "environments.yml") -> Declaration:
    reader = Reader(variables)
    try:
        root = compose(text)
    except SyntaxErrorAt as refused:
        raise _invalid(source, [refused.error]) from None
    declaration = _read_file(reader, root)
    _check_urls(reader, declaration.environments)
    _check_follows(reader, declaration.environments)
    if reader.errors:
        raise _invalid(source, reader.errors)
    return declaration


def _invalid(source: str, errors: Iterable[FileError]) -> EnvironmentsFileInvalid:
    ordered = sorted(set(errors))
    by_key: dict[str, list[str]] = {}
    for error in ordered:
        by_key.setdefault(error.key, []).append(f"line {error.line}: {error.message}")
    told = "\n".join(f"  {error}" for error in ordered)
    return EnvironmentsFileInvalid(f"{source} could not be applied:\n{told}", errors=by_key)


_EXAMPLE = f"`rasa: {{production: {{url: {addresses.EXAMPLE}}}}}`, or `rasa: {{}}` for none."
_PROJECTS_EXAMPLE = f"`projects: {{banking: {{rasa: {{production: {{url: {addresses.EXAMPLE}}}}}}}}}`"


def _url(reader: Reader, node: Node, key: str) -> str | None:
    text = reader.scalar(node, key, ["str"], f"Write an address like {addresses.EXAMPLE}.")
    if text is None:
        return None
    return text if reader.attempt(key, lambda: addresses.check_url(text)) else None


def _color(reader: Reader, node: Node, key: str) -> str | None:
    cure = 'Write six hexadecimal digits in quotes, like "#0e7490"; without quotes # begins a comment.'
    text = reader.scalar(node, key, ["str"], cure)
    if text is not None and not COLOR.fullmatch(text):
        reader.refuse(key, f"is not a colour. {cure}")
        return None
    return text.lower() if text else None


def _count(reader: Reader, node: Node, key: str) -> int | None:
    return reader.count(node, key, MAX_COUNT)


def _pull_interval(reader: Reader, node: Node, key: str) -> float | None:
    cure = f"Write seconds, more than 0 and up to {MAX_PULL_INTERVAL:.0f}, or null for servers that pull only once."
    return reader.number(node, key, cure, MAX_PULL_INTERVAL)


def _choice(choices: type[Kind] | type[RasaXWrites]) -> Callable[[Reader, Node, str], str | None]:
    return lambda reader, node, key: reader.choice(node, key, [choice.value for choice in choices])


_READ: dict[str, Callable[[Reader, Node, str], Any]] = {
    "url": _url,
    "token": Reader.text,
    "kind": _choice(Kind),
    "follows": Reader.text,
    "replicas": _count,
    "workers": _count,
    "pull_interval": _pull_interval,
    "protected": Reader.flag,
    "jwt_secret": Reader.text,
    "color": _color,
    "rasa_x_writes": _choice(RasaXWrites),
}
KEYS = (*_READ, *server_spec.KEYS)
_MAY_BE_NULL = frozenset({"follows", "pull_interval"})


def _read_file(reader: Reader, root: Node | None) -> Declaration:
    top = {} if root is None else reader.entries(root, "", _EXAMPLE)
    top = reader.known(top, "", ["rasa", "projects", *server_spec.KEYS])
    environments = _read_rasa(reader, top, "", DEFAULT_PROJECT)
    projects = [DEFAULT_PROJECT]
    further = reader.entries(top["projects"], "projects", _PROJECTS_EXAMPLE) if "projects" in top else {}
    for project, node in further.items():
        path = f"projects.{project}"
        reader.attempt(path, lambda project=project: names.check_label(project, "project"))  # type: ignore[misc]
        if project == DEFAULT_PROJECT:
            reader.refuse(path, "is the project of `rasa` at the top. Move its environments there.")
        entries = reader.known(reader.entries(node, path, _EXAMPLE), path, ["rasa"])
        environments += _read_rasa(reader, entries, f"{path}.", project)
        projects.append(project)
    return Declaration(tuple(projects), tuple(environments), server_spec.deployed(reader, top, ""))


def _read_rasa(reader: Reader, entries: dict[str, Node], prefix: str, project: str) -> list[DeclaredEnvironment]:
    path = f"{prefix}rasa"
    if "rasa" not in entries:
        reader.refuse(path, f"is missing. Write {_EXAMPLE}")
        return []
    nodes = reader.entries(entries["rasa"], path, _EXAMPLE)
    return [_read_environment(reader, node, f"{path}.{name}", project, name, nodes) for name, node in nodes.items()]


def _read_environment(
    reader: Reader, node: Node, path: str, project: str, name: str, siblings: Collection[str]
) -> DeclaredEnvironment:
    reader.attempt(path, lambda: names.check_label(name, "environment"))
    example = f"`{name}: {{url: {addresses.EXAMPLE}}}`"
    entries = reader.known(reader.entries(node, path, example), path, KEYS)
    if "url" not in entries and isinstance(node, MappingNode):
        reader.refuse(f"{path}.url", f"is missing. Write the address of its Rasa server: {example}")
    null = {key for key, value in entries.items() if key in _MAY_BE_NULL and is_null(value)}
    values: dict[str, Any] = {}
    for key, value in entries.items():
        if key not in _READ:
            continue
        read = None if key in null else _READ[key](reader, value, f"{path}.{key}")
        if read is not None:
            values[key] = read
    kind = Kind(values.pop("kind", default_kind(name)))
    follows = values.pop("follows", None)
    if "follows" not in entries:
        follows = default_follows(name, kind, siblings)
    return DeclaredEnvironment(
        project=project,
        name=name,
        line=reader.lines[path],
        url=values.pop("url", ""),
        kind=kind,
        protected=values.pop("protected", default_protected(name)),
        follows=follows,
        pulls_once="pull_interval" in null,
        token_variable=server_spec.variable_of(entries.get("token")),
        jwt_variable=server_spec.variable_of(entries.get("jwt_secret")),
        deployed=server_spec.deployed(reader, entries, f"{path}."),
        rasa_x_writes=RasaXWrites(values.pop("rasa_x_writes", RasaXWrites.ALLOW)),
        **values,
    )


# What one environment cannot tell alone


def key_of(environment: DeclaredEnvironment) -> str:
    """Where it stands in the file, as a dotted path."""
    return key_path(environment.project, environment.name)


def key_path(project: str, name: str) -> str:
    """Where an environment of this name would stand in the file."""
    return f"{'' if project == DEFAULT_PROJECT else f'projects.{project}.'}rasa.{name}"


def refused(errors: Iterable[FileError]) -> EnvironmentsFileInvalid:
    """The refusal of a readable file that does not fit what is in the database."""
    return _invalid("environments.yml", errors)


def _check_urls(reader: Reader, environments: Iterable[DeclaredEnvironment]) -> None:
    """A Rasa server holds one model, so it is one environment's, in whatever project."""
    first: dict[tuple[str, str, int, str], DeclaredEnvironment] = {}
    for environment in environments:
        if not environment.url:
            continue
        other = first.setdefault(addresses.same_url(environment.url), environment)
        if other is not environment:
            message = f"is also the address of {key_of(other)} (line {other.line}). Give each its own Rasa server."
            reader.refuse(f"{key_of(environment)}.url", message)


def _check_follows(reader: Reader, environments: Collection[DeclaredEnvironment]) -> None:
    known = {(environment.project, environment.name): environment for environment in environments}
    for environment in environments:
        if environment.follows is None:
            continue
        key = f"{key_of(environment)}.follows"
        target = known.get((environment.project, environment.follows))
        if target is environment:
            reader.refuse(key, "names the environment itself. Name another one, or leave the line out.")
        elif target is None:
            others = [name for project, name in known if project == environment.project and name != environment.name]
            reader.refuse(key, f"names no environment of this project. {suggestion(environment.follows, others)}")
        elif target.follows is not None:
            message = f"{target.name} follows {target.follows} itself: there are no chains. Follow {target.follows}."
            reader.refuse(key, message)
