"""The compose service of one environment's Rasa servers, for compose v2 and 1.29."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from environments.compose import rasa_files
from environments.compose.servers import Server
from environments.compose.yaml_text import Program
from environments.deployment_spec import Deployment, Edition, has_tag, one_variable, without_tag
from environments.yaml_file import VARIABLE, variables_in

DEFAULT_VERSION = "3.6.21"
REPOSITORY = "rasa/rasa"
IMAGE_VARIABLE = "RASA_IMAGE"
LICENSE = "RASA_LICENSE"
FOLDER = "deploy/rasa"  # beside the override file: one folder for each service
MOUNTED_AT = "/etc/rasa"
ENDPOINTS, CREDENTIALS = "endpoints.yml", "credentials.yml"

PROJECT, ENVIRONMENT = "controlplane.project", "controlplane.environment"
# What tells a container of an older file: of the service without this label, and of the files that it mounts.
DEFINITION, FILES = "controlplane.definition", "controlplane.files"

_HOST = re.compile(r"//(?:[^/@]*@)?([A-Za-z0-9._-]+)", re.ASCII)
_PLAIN_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+", re.ASCII)

# Rasa 3.6 takes its secrets as options alone, and those of a process every user of the machine can read: so they come
# as variables and are appended inside of it.
START = """\
import os, runpy, sys
sys.path[:] = [path for path in sys.path if path]
secrets = ["--auth-token=" + os.environ["{token}"], "--jwt-method=HS256", "--jwt-secret=" + os.environ["{jwt_secret}"]]
sys.argv = ["rasa", *sys.argv[1:], *secrets]
runpy.run_module("rasa", run_name="__main__")
"""
# `/` answers 200 with no model as well. The images have no curl.
HAS_MODEL = """\
import json, os, urllib.parse, urllib.request
token = urllib.parse.quote(os.environ["{token}"], safe="")
with urllib.request.urlopen("http://127.0.0.1:{port}/status?token=" + token, timeout=8) as answer:
    raise SystemExit(not json.load(answer).get("model_id"))
"""


@dataclass(frozen=True)
class Service:
    """`definition` is as compose reads it, `comments` stand above its parts. The files are without their first line.
    `variables` are those that must be in `.env`, with what needs them."""

    name: str
    server: Server
    definition: Mapping[str, Any]
    comments: Mapping[tuple[str, ...], str]
    endpoints: str
    credentials: str
    variables: Mapping[str, str]

    @property
    def digest(self) -> str:
        return str(self.definition["labels"][DEFINITION])


def edition_of(deployment: Deployment) -> Edition:
    if deployment.edition is not None:
        return deployment.edition
    last = without_tag(deployment.image or "").rpartition("/")[2]
    return Edition.PRO if last.startswith("rasa-pro") else Edition.OPEN_SOURCE


def image_of(deployment: Deployment) -> str:
    """As compose reads it: escaped, with its variables."""
    if deployment.image is None:
        if deployment.version is None:
            return f"${{{IMAGE_VARIABLE}:-{REPOSITORY}:{DEFAULT_VERSION}-full}}"
        suffix = "-full" if _PLAIN_VERSION.fullmatch(deployment.version) else ""
        return f"{REPOSITORY}:{for_compose(deployment.version)}{suffix}"
    if deployment.version is None:
        return for_compose(deployment.image)
    return f"{for_compose(without_tag(deployment.image))}:{for_compose(deployment.version)}"


def for_compose(text: str) -> str:
    """With `$` doubled, but for variables, which compose refuses to go without."""
    pieces, position = [], 0
    for match in VARIABLE.finditer(text):
        pieces += [text[position : match.start()].replace("$", "$$"), _required(match[1])]
        position = match.end()
    return "".join([*pieces, text[position:].replace("$", "$$")])


def _required(name: str, *, not_empty: bool = False) -> str:
    return f"${{{name}{':' if not_empty else ''}?is not set: see manage.py compose --env}}"


def service(server: Server, services: frozenset[str]) -> Service:
    """`services` are those of docker-compose.yml."""
    edition = edition_of(server.deployed.deployment)
    endpoints = rasa_files.endpoints(server, services)
    credentials = rasa_files.credentials(server)
    filled_in = dict.fromkeys([*endpoints.variables, *credentials.variables])
    environment = _environment(server, edition, filled_in)
    definition = {
        "image": image_of(server.deployed.deployment),
        "restart": "unless-stopped",
        "entrypoint": ["python", "-c", Program(START.format(token=server.rasa_token, jwt_secret=server.jwt_secret))],
        "command": _command(server),
        "environment": environment,
        "volumes": [
            {"type": "bind", "source": f"./{FOLDER}/{server.service}", "target": MOUNTED_AT, "read_only": True}
        ],
        "expose": [str(server.port)],
        "healthcheck": _healthcheck(server),
        # Not on the control plane: compose v2 makes anew what depends on what it makes anew.
        "depends_on": sorted((services & _asked(server, services)) - {"web"}),
        **_limits(server),
        "stop_grace_period": "30s",
        "security_opt": ["no-new-privileges:true"],
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        "labels": {
            PROJECT: server.project,
            ENVIRONMENT: server.name,
            FILES: _digest(endpoints.text + credentials.text),
        },
    }
    definition = {key: value for key, value in definition.items() if value not in ([], {})}
    definition["labels"] |= {DEFINITION: _digest(json.dumps(definition, sort_keys=True))}
    return Service(
        name=server.service,
        server=server,
        definition=definition,
        comments=_comments(server),
        endpoints=endpoints.text,
        credentials=credentials.text,
        variables=_variables(server, edition, filled_in),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _command(server: Server) -> list[str]:
    declared = server.deployed.deployment.arguments or ()
    return [
        *("run", "--enable-api", "--port", str(server.port)),
        *("--endpoints", f"{MOUNTED_AT}/{ENDPOINTS}", "--credentials", f"{MOUNTED_AT}/{CREDENTIALS}"),
        *(for_compose(argument) for argument in declared),
    ]


def _environment(server: Server, edition: Edition, filled_in: Iterable[str]) -> dict[str, str]:
    deployment = server.deployed.deployment
    declared = {name: for_compose(text) for name, text in sorted(deployment.environment.items())}
    secrets = [server.rasa_token, server.jwt_secret, server.service_token]
    passed = {name: _required(name) for name in sorted(filled_in) if name not in {"HOSTNAME", *secrets}}
    found = {
        "RASA_ENVIRONMENT": server.label,
        **{name: _required(name, not_empty=True) for name in secrets},
        **passed,
    }
    if server.workers > 1:
        found["SANIC_WORKERS"] = str(server.workers)
    if edition is Edition.PRO:
        found[LICENSE] = _required(one_variable(deployment.license or "") or LICENSE, not_empty=True)
    return found | declared


def _healthcheck(server: Server) -> dict[str, Any]:
    check = Program(HAS_MODEL.format(token=server.rasa_token, port=server.port))
    # A server that loads a model answers nothing for up to half a minute.
    return {
        "test": ["CMD", "python", "-I", "-c", check],
        "interval": "15s",
        "timeout": "10s",
        "retries": 4,
        "start_period": "120s",
    }


def _asked(server: Server, services: frozenset[str]) -> set[str]:
    """The hosts of its stores and of what else it asks."""
    urls = [section.get("url") for section in rasa_files.sections_of(server, services).values()]
    addresses = [url if "://" in url else f"//{url}" for url in urls if isinstance(url, str)]
    return {host for address in addresses for host in _HOST.findall(address)}


def _limits(server: Server) -> dict[str, Any]:
    deployment = server.deployed.deployment
    limits = {
        "deploy": {"replicas": server.replicas},
        "mem_limit": deployment.memory,
        "mem_reservation": deployment.memory_reservation,
        "cpus": deployment.cpus,
    }
    return {key: value for key, value in limits.items() if value is not None}


def _comments(server: Server) -> dict[tuple[str, ...], str]:
    where = f"environments.yml: {server.key}" if server.line else f"{server.label}: made through the API"
    return {
        (): where,
        ("entrypoint",): "The secrets are appended inside of the process, where no list of processes shows them.",
        ("environment",): "Secrets by their variables, which `manage.py compose --env` adds to .env.",
        ("healthcheck",): "Healthy means that a model is loaded.",
        (
            "depends_on",
        ): "The order of a start, no more. The control plane is not among them: the server polls until that is there.",
        ("labels",): "What is compared with the containers that run.",
    }


def _variables(server: Server, edition: Edition, filled_in: Iterable[str]) -> dict[str, str]:
    """What must be set in `.env`, by name, with what needs it."""
    deployment = server.deployed.deployment
    needed = dict.fromkeys(filled_in, "endpoints or credentials")
    for text in (*deployment.environment.values(), *(deployment.arguments or ()), deployment.image, deployment.version):
        needed |= dict.fromkeys(variables_in(text or ""), "deployment")
    if edition is Edition.PRO:
        needed[one_variable(deployment.license or "") or LICENSE] = "the licence of Rasa Pro"
    needed |= {server.rasa_token: "its token", server.jwt_secret: "its jwt_secret", server.service_token: "its pulls"}
    return {name: what for name, what in needed.items() if name != "HOSTNAME" and name not in deployment.environment}


def has_version(deployment: Deployment) -> bool:
    return deployment.image is None or deployment.version is not None or has_tag(deployment.image)
