"""Environments as the generator takes them, and compose itself, in every version there is, to read what comes out."""

import atexit
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from environments import spec
from environments.compose import rasa_files
from environments.compose.generating import generate
from environments.compose.servers import Server
from environments.deployment_spec import Deployment
from environments.server_spec import Deployed

STACK = "services:\n  web: {image: web}\n  postgres: {image: postgres}\n  redis: {image: redis}\n"
VARIABLES = {"RASA_TOKEN": "rasa-token", "JWT_SECRET": "jwt-secret"}


def server(name="production", *, project="default", deployment=None, endpoints=None, credentials=None, **fields):
    prefix = "" if project == "default" else f"{project}-"
    deployed = Deployed(Deployment(**(deployment or {})), endpoints or {}, credentials or {})
    return Server(
        **{
            "project": project,
            "name": name,
            "url": f"http://rasa-{prefix}{name}:5005",
            "tag": name,
            "token_variable": "RASA_TOKEN",
            "key": spec.key_path(project, name),
            "line": 2,
            "deployed": deployed,
            **fields,
        }
    )


def service(*servers, **fields):
    """The only service of one environment."""
    made = generate(list(servers) or [server(**fields)])
    assert not made.refusals
    [found] = made.services
    return found


def refusals(*servers, stack=None):
    made = generate(servers, *([frozenset(stack)] if stack is not None else []))
    return {refusal.key: refusal.reason for refusal in made.refusals}


def declared(text, variables=VARIABLES):
    """What a whole environments.yml makes."""
    declaration = spec.parse(text, variables)
    return generate(
        [
            Server(
                project=item.project,
                name=item.name,
                url=item.url,
                tag=item.follows or item.name,
                replicas=item.replicas,
                workers=item.workers,
                has_token=bool(item.token),
                token_variable=item.token_variable,
                jwt_variable=item.jwt_variable,
                key=spec.key_of(item),
                line=item.line,
                deployed=item.deployed.over(declaration.deployed),
            )
            for item in declaration.environments
        ]
    )


def yaml(text):
    return YAML(typ="safe", pure=True).load(text)


def sections(found):
    return yaml(found.endpoints)


# Compose itself


class ComposeRefused(Exception):
    """With what it said."""


class V1:
    """docker-compose 1.29, by its own Python."""

    def __init__(self, python):
        reader = Path(__file__).with_name("compose_reader.py")
        self.process = subprocess.Popen(
            [python, "-I", reader], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        atexit.register(self.end)

    def end(self):
        with self.process:
            self.process.stdin.close()

    def services(self, folder):
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "refused" in answer:
            raise ComposeRefused(answer["refused"])
        return answer["services"]


class V2:
    """Docker Compose v2, a program or a plugin of docker."""

    def __init__(self, command):
        self.command = command

    def services(self, folder):
        command = [*self.command, "config", "--format", "json"]
        told = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        if told.returncode:
            raise ComposeRefused(told.stderr)
        # What it prints can be read again, so its dollars are doubled.
        return _single_dollars(json.loads(told.stdout)["services"])


ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def _single_dollars(value):
    if isinstance(value, dict):
        return {name: _single_dollars(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_single_dollars(item) for item in value]
    return value.replace("$$", "$") if isinstance(value, str) else value


@cache
def versions():
    """What there is of compose, by version."""
    found = {}
    path = shutil.which("docker-compose")
    first = Path(path).read_bytes().partition(b"\n")[0] if path else b""
    if first.startswith(b"#!") and b"python" in first:
        found["1.29"] = V1(first[2:].decode().split()[0])
    for command in ([os.environ.get("COMPOSE_V2", "")], ["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and _version(command).startswith(("v2", "2", "v5", "5")):
            found.setdefault("2", V2(command))
    return found


def _version(command):
    return subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False).stdout.strip()


def missing():
    return None if versions() else "no docker-compose was found; install it, or name one of v2 in COMPOSE_V2"


def lay(folder, made, text, env="", *, stack=STACK):
    """A folder as `compose --write` leaves it."""
    (folder / "docker-compose.yml").write_text(stack)
    (folder / "docker-compose.override.yml").write_text(text)
    (folder / ".env").write_text(env)
    for item in made.services:
        mounted = folder / "deploy" / "rasa" / item.name
        mounted.mkdir(parents=True, exist_ok=True)
        (mounted / "endpoints.yml").write_text(rasa_files.finished(item.endpoints))
        (mounted / "credentials.yml").write_text(rasa_files.finished(item.credentials))


def env_of(made, **more):
    """An `.env` with every variable that the services need, each with a value that tells its name."""
    values = {name: f"value-of-{name}" for name in made.variables} | more
    return "".join(f"{name}={value}\n" for name, value in values.items())
