"""The real Rasa server that `up` runs for each environment of this machine: its files and its command."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from controlplane import rasa_install, rasa_server
from controlplane.home import write_private
from controlplane.supervisor import Program
from environments.models import Environment
from environments.serving.service_tokens import service_token

SCRIPT = Path(__file__).with_name("rasa_server.py")
# Where no interval is declared: short, for one machine.
PULL_INTERVAL = 2.0
REPLICA = "local"
CREDENTIALS = "rest:\n"
QUIET = {
    "RASA_TELEMETRY_ENABLED": "false",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "NO_COLOR": "1",
    "LOG_LEVEL_LIBRARIES": "ERROR",
}


def endpoints(environment: Environment, web_url: str) -> str:
    """The server's endpoints.yml. Values are quoted: Rasa expands `${…}` in unquoted ones only."""
    url = f"{web_url}/models/{environment.project.name}@{environment.tag_name}"
    interval = None if environment.pulls_once else environment.pull_interval or PULL_INTERVAL
    return (
        "models:\n"
        f"  url: {json.dumps(url)}\n"
        "  headers:\n"
        f"    Authorization: {json.dumps(f'Bearer {service_token(environment)}')}\n"
        "  params:\n"
        f"    replica: {json.dumps(REPLICA)}\n"
        f"  wait_time_between_pulls: {json.dumps(interval)}\n"
    )


def port_of(environment: Environment) -> int:
    return urlsplit(environment.url).port or 80


def name_of(environment: Environment) -> str:
    """What the log calls it."""
    project = environment.project.name
    return f"rasa-{environment.name}" if project == "default" else f"rasa-{project}-{environment.name}"


def program(environment: Environment, *, web_url: str, rasa_home: Path, folder: Path) -> Program:
    """The server of `environment`, with its files in `folder`. One process: replicas cannot share an address."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(folder / "endpoints.yml", endpoints(environment, web_url))
    write_private(folder / "credentials.yml", CREDENTIALS)
    host = urlsplit(environment.url).hostname or "localhost"
    command = [
        str(rasa_install.python_of(rasa_home)),
        *("-I", str(SCRIPT), "run", "--enable-api"),
        *("--interface", "127.0.0.1" if host == "localhost" else host),
        *("--port", str(port_of(environment))),
        *("--endpoints", "endpoints.yml"),
        *("--credentials", "credentials.yml"),
    ]
    secrets = {rasa_server.TOKEN: environment.rasa_token, rasa_server.JWT_SECRET: environment.jwt_secret}
    return Program(name_of(environment), command, environment=QUIET | secrets, folder=folder)
