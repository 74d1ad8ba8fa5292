"""The `endpoints` and `credentials` of environments.yml: the sections of Rasa's files, judged key by key.

What is read are plain values. A text may hold `${VAR}`: that is left to the Rasa server, which fills it in from its own
variables, so here only its spelling is judged. The keys are those of Rasa 3.6, and of Rasa Pro where that has more.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from environments.yaml_file import (
    TAG,
    TEXT_CURE,
    VARIABLE,
    Reader,
    SyntaxErrorAt,
    compose,
    is_null,
    suggestion,
    variables_in,
)

# A value of Rasa's files, and a section of them: None switches one off that is declared for all.
Value = str | int | float | bool | None | list[Any] | dict[str, Any]
Sections = Mapping[str, dict[str, Any] | None]
Read = Callable[[Reader, Node, str], Any]

TYPE = "type"
VAULT = "secrets_manager.vault"
LONGEST_PORT = 65_535

_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)

# The kinds a value may be of. Each reads one and gives None where it refused.


def text(reader: Reader, node: Node, key: str, cure: str = TEXT_CURE) -> str | None:
    """What Rasa is to fill in must be a plain scalar of its file: it takes what is in quotes as it stands."""
    found = reader.template(node, key, cure)
    if found is not None and variables_in(found) and not _stays_plain(found):
        reader.refuse(
            key,
            "mixes a variable with characters that Rasa's file can only hold in quotes, where it fills in none. "
            "Put the whole value into the variable.",
        )
        return None
    return found


def _stays_plain(found: str) -> bool:
    if "$" in VARIABLE.sub("", found):
        return False  # Rasa would take `$NAME` for a variable too.
    try:
        root = compose(f"value: {found}\n")
    except SyntaxErrorAt:
        return False
    [(_, node)] = root.value if isinstance(root, MappingNode) else [(None, None)]
    return isinstance(node, ScalarNode) and node.style is None and node.value == found


def _number_or_variable(read: Read) -> Read:
    """What a variable holds is judged by the Rasa server."""

    def either(reader: Reader, node: Node, key: str) -> Any:
        variable = isinstance(node, ScalarNode) and node.tag == f"{TAG}str" and variables_in(node.value)
        return text(reader, node, key) if variable else read(reader, node, key)

    return either


def _whole_number(lowest: int, highest: int) -> Read:
    cure = f"Write a whole number from {lowest} to {highest}, or a variable."

    def read(reader: Reader, node: Node, key: str) -> int | None:
        right = isinstance(node, ScalarNode) and node.tag == f"{TAG}int" and _WHOLE.fullmatch(node.value)
        if not right or not lowest <= int(node.value) <= highest:
            reader.refuse(key, f"is no such number. {cure}")
            return None
        return int(node.value)

    return _number_or_variable(read)


def _seconds(reader: Reader, node: Node, key: str) -> float | None:
    return reader.number(node, key, "Write seconds, more than 0.", 10.0**9)


def _prefix(reader: Reader, node: Node, key: str) -> str | None:
    found = text(reader, node, key)
    if found and not variables_in(found) and not _PREFIX.fullmatch(found):
        reader.refuse(key, "is left out by Rasa unless it is of letters and digits alone. Write up to 64 of them.")
        return None
    return found


def _texts(reader: Reader, node: Node, key: str) -> str | list[str] | None:
    if not isinstance(node, SequenceNode):
        return text(reader, node, key, "Write text, or a list of texts.")
    found = [text(reader, item, key) for item in node.value]
    return [item for item in found if item is not None]


def _mapping(reader: Reader, node: Node, key: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, item in reader.entries(node, key, f"`{key.rpartition('.')[2]}: {{name: value}}`").items():
        value = text(reader, item, f"{key}.{name}")
        if value is not None:
            found[name] = value
    return found


def _choice(*choices: str) -> Read:
    def read(reader: Reader, node: Node, key: str) -> str | None:
        found = text(reader, node, key)
        if found is not None and found not in choices and not variables_in(found):
            reader.refuse(key, f"is not known. Write one of: {', '.join(choices)}.")
            return None
        return found

    return read


def _secret(reader: Reader, node: Node, key: str) -> Any:
    """Text, or where Rasa Pro finds it in its vault."""
    if not isinstance(node, MappingNode):
        return text(reader, node, key)
    keys = {"source": _choice(VAULT), "secret_key": text}
    entries = reader.entries(node, key, _SECRET_EXAMPLE)
    _need(reader, entries, key, ["source", "secret_key"], f"Write {_SECRET_EXAMPLE}.")
    return _keys(reader, entries, key, keys)


_SECRET_EXAMPLE = f"`{{source: {VAULT}, secret_key: db_password}}`"


def anything(reader: Reader, node: Node, key: str) -> Any:
    """What a class of one's own takes. A number is one only in its plain spelling, which every reader knows."""
    if isinstance(node, MappingNode):
        entries = reader.entries(node, key, "`key: value`")
        return {name: anything(reader, item, f"{key}.{name}") for name, item in entries.items()}
    if isinstance(node, SequenceNode):
        return [anything(reader, item, key) for item in node.value]
    if is_null(node):
        return None
    if node.tag == f"{TAG}bool":
        return reader.flag(node, key)
    if node.tag == f"{TAG}int" and _WHOLE.fullmatch(node.value):
        return int(node.value)
    if node.tag == f"{TAG}float" and math.isfinite(_float(node.value)):
        return _float(node.value)
    return text(reader, node, key)


def _float(written: str) -> float:
    try:
        return float(written.replace("_", "x"))
    except ValueError:
        return math.nan


_PORT = _whole_number(1, LONGEST_PORT)
_DATABASE = _whole_number(0, 1023)
_FLAG = _number_or_variable(Reader.flag)

_TLS: dict[str, Read] = {"ssl_keyfile": text, "ssl_certfile": text, "ssl_ca_certs": text}
_HTTP: dict[str, Read] = {
    "url": text,
    "token": text,
    "token_name": text,
    "headers": _mapping,
    "params": _mapping,
    "basic_auth": _mapping,
    "cafile": text,
}
_REDIS: dict[str, Read] = {
    "url": text,
    "port": _PORT,
    "db": _DATABASE,
    "username": _secret,
    "password": _secret,
    "use_ssl": _FLAG,
    "key_prefix": _prefix,
    **_TLS,
}
_SQL: dict[str, Read] = {
    "dialect": text,
    "url": text,
    "port": _PORT,
    "db": text,
    "username": _secret,
    "password": _secret,
    "login_db": text,
    "query": _mapping,
}

# By section and type, as Rasa reads them; "" stands for a section without types.
KEYS: dict[str, dict[str, dict[str, Read]]] = {
    "tracker_store": {
        "SQL": _SQL,
        "redis": {**_REDIS, "record_exp": _seconds},
        "mongod": {
            "url": text,
            "db": text,
            "username": _secret,
            "password": _secret,
            "auth_source": text,
            "collection": text,
        },
        "dynamo": {"table_name": text, "region": text},
    },
    "lock_store": {
        "in_memory": {},
        "redis": {**_REDIS, "socket_timeout": _seconds},
        # Of Rasa Pro.
        "concurrent_redis": {"host": text, **_REDIS, "socket_timeout": _seconds},
    },
    "event_broker": {
        "pika": {
            "url": text,
            "username": _secret,
            "password": _secret,
            "port": _PORT,
            "queues": _texts,
            "exchange_name": text,
            "should_keep_unpublished_messages": _FLAG,
            "raise_on_failure": _FLAG,
            "connection_attempts": _whole_number(1, 10**6),
            "retry_delay_in_seconds": _seconds,
        },
        "kafka": {
            "url": _texts,
            "topic": text,
            "client_id": text,
            "partition_by_sender": _FLAG,
            "sasl_username": _secret,
            "sasl_password": _secret,
            "sasl_mechanism": _choice("PLAIN", "GSSAPI", "OAUTHBEARER", "SCRAM-SHA-256", "SCRAM-SHA-512"),
            "ssl_cafile": text,
            "ssl_certfile": text,
            "ssl_keyfile": text,
            "ssl_check_hostname": _FLAG,
            "security_protocol": _choice("PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"),
        },
        "file": {"path": text},
        "SQL": _SQL,
    },
    "action_endpoint": {"": _HTTP},
    "nlg": {"": _HTTP},
    # Of Rasa Pro.
    "secrets_manager": {
        "vault": {
            "url": text,
            "token": text,
            "secrets_path": text,
            "transit_mount_point": text,
            "mount_point": text,
            "namespace": text,
        }
    },
}
_NEEDED: dict[tuple[str, str], list[str]] = {
    ("tracker_store", "redis"): ["url"],
    ("tracker_store", "mongod"): ["url"],
    ("lock_store", "redis"): ["url"],
    ("lock_store", "concurrent_redis"): ["host"],
    ("event_broker", "pika"): ["url", "username", "password"],
    ("event_broker", "kafka"): ["url"],
    ("action_endpoint", ""): ["url"],
    ("nlg", ""): ["url"],
    ("secrets_manager", "vault"): ["url", "token"],
}
# Sections that may name a class of one's own.
_OPEN = frozenset({"tracker_store", "lock_store", "event_broker"})
_EXAMPLE = "`action_endpoint: {url: http://app:5055/webhook}`"


def endpoints(reader: Reader, node: Node, path: str) -> dict[str, dict[str, Any] | None]:
    entries = reader.entries(node, path, _EXAMPLE)
    if "models" in entries:
        reader.refuse(f"{path}.models", "is written by the control plane, for each environment. Remove it here.")
        del entries["models"]
    known = reader.known(entries, path, KEYS)
    return {
        name: None if is_null(item) else _section(reader, item, f"{path}.{name}", name) for name, item in known.items()
    }


def _section(reader: Reader, node: Node, path: str, name: str) -> dict[str, Any]:
    types = KEYS[name]
    entries = reader.entries(node, path, _EXAMPLE)
    if not isinstance(node, MappingNode):
        return {}
    kind = "" if "" in types else _type(reader, entries.pop(TYPE, None), path, name)
    if kind is None:
        return {}
    head = {TYPE: kind} if kind else {}
    if kind not in types:
        return head | {key: anything(reader, item, f"{path}.{key}") for key, item in entries.items()}
    _need(reader, entries, path, _NEEDED.get((name, kind), []))
    return head | _keys(reader, entries, path, types[kind])


def _type(reader: Reader, node: Node | None, path: str, name: str) -> str | None:
    """The type as Rasa spells it, or the class; None if refused."""
    known = list(KEYS[name])
    words = f"Write one of: {', '.join(known)}" + (", or module.Class of your own." if name in _OPEN else ".")
    if node is None:
        reader.refuse(f"{path}.{TYPE}", f"is missing. {words}")
        return None
    key = f"{path}.{TYPE}"
    found = reader.template(node, key)
    if found is None:
        return None
    spelled = next((kind for kind in known if kind.lower() == found.lower()), None)
    if spelled is None and not (name in _OPEN and _CLASS.fullmatch(found)):
        reader.refuse(key, f"is not known. {words}")
        return None
    return spelled or found


def _keys(reader: Reader, entries: dict[str, Node], path: str, keys: Mapping[str, Read]) -> dict[str, Any]:
    for name in entries.keys() - set(keys):
        reader.refuse(f"{path}.{name}", f"is an unknown key. {suggestion(name, keys)}")
    values = {name: keys[name](reader, item, f"{path}.{name}") for name, item in entries.items() if name in keys}
    return {name: value for name, value in values.items() if value is not None}


def _need(reader: Reader, given: Collection[str], path: str, names: list[str], cure: str = "") -> None:
    for name in names:
        if name not in given:
            reader.refuse(f"{path}.{name}", f"is missing. {cure or f'Write `{name}: …`.'}")


def credentials(reader: Reader, node: Node, path: str) -> dict[str, dict[str, Any] | None]:
    """Channels by name, as in Rasa's credentials.yml: each takes what it takes."""
    channels: dict[str, dict[str, Any] | None] = {}
    for name, item in reader.entries(node, path, "`slack: {slack_token: ${SLACK_TOKEN}}`").items():
        dotted = f"{path}.{name}"
        channels[name] = None if is_null(item) else _channel(reader, item, dotted)
    return channels


def _channel(reader: Reader, node: Node, path: str) -> dict[str, Any]:
    entries = reader.entries(node, path, "`slack: {slack_token: ${SLACK_TOKEN}}`")
    return {name: anything(reader, item, f"{path}.{name}") for name, item in entries.items()}
