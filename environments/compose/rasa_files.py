"""endpoints.yml and credentials.yml of one environment's Rasa servers.

Rasa fills `${VAR}` in only where it is not quoted, and cannot read one inside `{…}`: so block style without quotes.
Of a file of ASCII alone it takes `\\u0041` for an A: so the first line holds a letter that is not.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from environments.compose import yaml_text
from environments.compose.servers import Server
from environments.endpoint_spec import TYPE, VAULT
from environments.yaml_file import variables_in

# Where servers of the stack find the control plane, its database server and its Redis.
CONTROL_PLANE = "http://web:5002"
POSTGRESQL, REDIS = "postgres", "redis"
REDIS_DATABASE = 2  # beside those of broker and cache
DEFAULT_INTERVAL = 10  # seconds

BEGIN = "# Generated, not to be edited here: environments.yml → manage.py compose --write"

ORDER = ("models", "tracker_store", "lock_store", "event_broker", "action_endpoint", "nlg", "secrets_manager")
_DEFAULT_LOCK_STORE = {"type": "redis", "url": REDIS, "db": REDIS_DATABASE, "password": "${REDIS_PASSWORD}"}
# What gives each environment conversations of its own, by type of the store.
_OWN_LOCKS = {"redis": "key_prefix", "concurrent_redis": "key_prefix"}
_OWN_STORE = {"SQL": "db", "redis": "key_prefix", "mongod": "db", "dynamo": "table_name"}


@dataclass(frozen=True)
class RasaFile:
    """A text without its first line, and the variables that Rasa fills in."""

    text: str
    variables: tuple[str, ...]


def models(*, url: str, project: str, tag: str, environment: str, token: str, interval: float | None) -> dict[str, Any]:
    """The section by which a Rasa server pulls its model. `token` is one, or the name of its variable as `${NAME}`: it
    goes into a header, so that it stays out of the logs of proxies."""
    return {
        "url": f"{url}/api/projects/{project}/models/tags/{tag}",
        "headers": {"Authorization": f"Bearer {token}"},
        "params": {"environment": environment, "replica": "${HOSTNAME}"},
        "wait_time_between_pulls": None if interval is None else _plain_number(interval),
    }


def interval(declared: float | None, *, pulls_once: bool) -> float | None:
    """In seconds, for servers of an environment; None where they pull only at their start."""
    return None if pulls_once else declared or DEFAULT_INTERVAL


def section_text(name: str, section: Mapping[str, Any]) -> str:
    """One section alone, as it stands in a file."""
    return yaml_text.emit({name: _unquoted(section)}, {})


def endpoints(server: Server, services: frozenset[str]) -> RasaFile:
    sections = sections_of(server, services)
    return _file({name: sections[name] for name in ORDER if name in sections}, _origins(server))


def credentials(server: Server) -> RasaFile:
    """Rasa's own channel for REST is always there: by it the control plane talks to the server."""
    declared = server.deployed.credentials
    channels = {"rest": declared.get("rest"), **{name: declared[name] for name in sorted(declared) if name != "rest"}}
    return _file(channels, {("rest",): "By this channel the control plane talks to the server."})


def sections_of(server: Server, services: frozenset[str]) -> dict[str, dict[str, Any]]:
    """By name; what is not declared stands in the stack of the control plane, where that has it."""
    declared = server.deployed.endpoints
    found: dict[str, dict[str, Any] | None] = {
        "models": models(
            url=CONTROL_PLANE,
            project=server.project,
            tag=server.tag,
            environment=server.name,
            token=f"${{{server.service_token}}}",
            interval=interval(server.pull_interval, pulls_once=server.pulls_once),
        ),
        "tracker_store": _default_tracker_store(server) if POSTGRESQL in services else None,
        "lock_store": _DEFAULT_LOCK_STORE if REDIS in services and server.several else None,
        **declared,
    }
    kept = {name: section for name, section in found.items() if section is not None}
    if "tracker_store" in kept:
        kept["tracker_store"] = _with_own(kept["tracker_store"], server, _OWN_STORE)
    if "lock_store" in kept:
        kept["lock_store"] = _with_own(kept["lock_store"], server, _OWN_LOCKS)
    return kept


def _default_tracker_store(server: Server) -> dict[str, Any]:
    return {
        "type": "SQL",
        "dialect": "postgresql",
        "url": POSTGRESQL,
        # A role of their own: that of the control plane would open its database to what runs in a Rasa server.
        "username": "rasa",
        "password": "${RASA_DB_PASSWORD}",
        "db": server.database,
        "login_db": "postgres",
    }


def _with_own(section: dict[str, Any], server: Server, keys: Mapping[str, str]) -> dict[str, Any]:
    """With what keeps it apart from the other environments, if nothing is declared."""
    key = keys.get(section.get(TYPE, ""))
    if key is None or key in section:
        return section
    return section | {key: server.key_prefix if key == "key_prefix" else server.database}


def _origins(server: Server) -> dict[tuple[str, ...], str]:
    """Where each section comes from, for the comment above it."""
    declared = dict.fromkeys(server.deployed.endpoints, "As `endpoints` in environments.yml says.")
    origins = {
        "tracker_store": "The stack's own PostgreSQL: a database for each environment, which Rasa makes.",
        "lock_store": "The stack's own Redis: the processes of one environment take turns.",
        **declared,
        "models": f"The model with the tag {server.tag}. Docker sets HOSTNAME: another one for each replica.",
    }
    return {(name,): origin for name, origin in origins.items()}


def finished(text: str) -> str:
    """The file with its first line, by which an edit by hand is told."""
    return f"{BEGIN} {hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def is_generated(text: str) -> bool:
    return text.startswith(BEGIN)


def was_edited(text: str) -> bool:
    """Whether a generated file is not as it was written."""
    first, _, rest = text.partition("\n")
    return finished(rest) != f"{first}\n{rest}"


def uses_vault(values: Any) -> bool:
    """Whether something in it is to be found in Rasa Pro's vault."""
    if isinstance(values, Mapping):
        return values.get("source") == VAULT or any(uses_vault(value) for value in values.values())
    return isinstance(values, list) and any(uses_vault(value) for value in values)


def _file(values: Mapping[str, Any], origins: yaml_text.Comments) -> RasaFile:
    names = dict.fromkeys(name for text in texts(values) for name in variables_in(text))
    return RasaFile(yaml_text.emit(_unquoted(values), origins), tuple(names))


def texts(values: Any) -> Iterator[str]:
    if isinstance(values, Mapping):
        for value in values.values():
            yield from texts(value)
    elif isinstance(values, list):
        for value in values:
            yield from texts(value)
    elif isinstance(values, str):
        yield values


def _unquoted(values: Any) -> Any:
    """With every text that holds a variable marked to stand plain."""
    if isinstance(values, Mapping):
        return {name: _unquoted(value) for name, value in values.items()}
    if isinstance(values, list):
        return [_unquoted(value) for value in values]
    return yaml_text.Unquoted(values) if isinstance(values, str) and variables_in(values) else values


def _plain_number(value: float) -> float:
    return int(value) if float(value).is_integer() else value
