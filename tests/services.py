"""What the tests may use on this machine, and why not.

A missing service skips; with `REQUIRE_SERVICES=1` or `CI=true` it fails.
"""

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import psycopg
import redis
from django.conf import settings
from kombu import Connection

from controlplane import rasa_install
from environments.clients.docker import sdk
from environments.clients.docker.errors import DockerError
from tests import deploying, git_servers

POSTGRESQL_URL = os.environ.get("TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
RABBITMQ_URL = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
# The engine that the docker command of this machine speaks to, where nothing else is said.
DOCKER_URL = os.environ.get("TEST_DOCKER_URL") or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
# Read once: the tests' own home takes its place afterwards.
RASA_HOME: Path = settings.CONTROLPLANE_RASA_HOME


def required() -> bool:
    return os.environ.get("REQUIRE_SERVICES") == "1" or os.environ.get("CI", "").lower() == "true"


def postgresql() -> str | None:
    try:
        psycopg.connect(POSTGRESQL_URL, connect_timeout=3).close()
    except psycopg.Error as error:
        return f"no PostgreSQL server answers at TEST_POSTGRESQL_URL: {type(error).__name__}"
    return None


def redis_server() -> str | None:
    client = redis.Redis.from_url(REDIS_URL, socket_timeout=3, socket_connect_timeout=3)
    try:
        client.ping()
    except redis.RedisError as error:
        return f"no Redis server answers at TEST_REDIS_URL: {type(error).__name__}"
    finally:
        client.close()
    return None


def rabbitmq() -> str | None:
    connection = Connection(RABBITMQ_URL, connect_timeout=3)
    try:
        connection.connect()
    except (OSError, *connection.connection_errors) as error:
        return f"no RabbitMQ server answers at TEST_RABBITMQ_URL: {type(error).__name__}"
    finally:
        connection.release()
    return None


def browser() -> str | None:
    """The path of a Chromium, None where there is none."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def chromium() -> str | None:
    return None if browser() else "no Chromium was found; name one in CHROMIUM"


def rasa() -> str | None:
    if rasa_install.is_installed(RASA_HOME):
        return None
    return f"no Rasa {rasa_install.VERSION} in {RASA_HOME}; run `manage.py install_rasa`"


def git() -> str | None:
    if shutil.which("git") and git_servers.BACKEND.exists():
        return None
    return "no git with its http-backend was found; install git"


def sshd() -> str | None:
    return None if git_servers.SSHD else "no sshd was found; install openssh-server"


def nginx_program() -> str | None:
    """Debian keeps it where only root looks."""
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def nginx() -> str | None:
    return None if nginx_program() else "no nginx was found; install nginx-light"


def promtool() -> str | None:
    return None if shutil.which("promtool") else "no promtool was found; it is part of Prometheus"


def docker_engine() -> str | None:
    try:
        with sdk.connected(DOCKER_URL, timeout=3):
            return None
    except DockerError as error:
        return f"no Docker engine answers at TEST_DOCKER_URL: {error}"


SERVICES: dict[str, Callable[[], str | None]] = {
    "postgresql": postgresql,
    "redis": redis_server,
    "rabbitmq": rabbitmq,
    "chromium": chromium,
    "rasa": rasa,
    "git": git,
    "sshd": sshd,
    "nginx": nginx,
    "compose": deploying.missing,
    "promtool": promtool,
    "docker": docker_engine,
}


@cache
def missing(service: str) -> str | None:
    """Why `service` cannot be used; None if it can."""
    return SERVICES[service]()
