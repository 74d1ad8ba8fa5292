"""Services of a test's own, and control planes on them."""

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from tests import disks, live, services
from tests.outages import Proxy, RedisServer
from tests.polling import INSTALLATION_TOKEN


@contextmanager
def database() -> Iterator[str]:
    """The URL of a new database on the standing PostgreSQL server."""
    name = f"bad_day_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(services.POSTGRESQL_URL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield services.POSTGRESQL_URL.rpartition("/")[0] + f"/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def rabbitmqctl(*arguments: str) -> None:
    subprocess.run(["rabbitmqctl", "-q", *arguments], check=True, capture_output=True, timeout=60)


@contextmanager
def virtual_host() -> Iterator[str]:
    """The URL of a new virtual host on the standing RabbitMQ server."""
    if shutil.which("rabbitmqctl") is None:
        (pytest.fail if services.required() else pytest.skip)("no rabbitmqctl was found to make a virtual host")
    name = f"bad-day-{uuid.uuid4().hex[:12]}"
    rabbitmqctl("add_vhost", name)
    rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
    yield urlsplit(services.RABBITMQ_URL)._replace(path=f"/{name}").geturl()
    rabbitmqctl("delete_vhost", name)


@pytest.fixture
def small_disk(tmp_path):
    with disks.small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture(scope="module")
def postgresql():
    """A proxy to a database of its own."""
    with database() as url, Proxy(url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def redis(redis_server):
    """A proxy to a Redis server of its own."""
    with Proxy(redis_server.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def start_control_plane(tmp_path_factory):
    """Start a control plane; it ends with the tests of the file."""
    started = []

    def start(parts=("web",), **variables):
        home = tmp_path_factory.mktemp("home")
        variables = {"RASA_X_TOKEN": INSTALLATION_TOKEN, **variables}
        started.append(live.ControlPlane(home, variables=variables, parts=parts))
        return started[-1]

    yield start
    for control_plane in started:
        control_plane.stop()
