"""The PostgreSQL backend does not wait for ever."""

import time

import psycopg
import pytest
from django.db import OperationalError

from controlplane.postgresql.base import DatabaseWrapper
from tests import services
from tests.outages import Proxy

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]


@pytest.fixture
def proxy():
    with Proxy(services.POSTGRESQL_URL) as proxy:
        yield proxy


@pytest.fixture
def connection(proxy):
    parts = psycopg.conninfo.conninfo_to_dict(services.POSTGRESQL_URL)
    database = {
        "ENGINE": "controlplane.postgresql",
        "NAME": parts["dbname"],
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": "127.0.0.1",
        "PORT": proxy.port,
        "OPTIONS": {"connect_timeout": 2},
        "TIME_ZONE": None,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "AUTOCOMMIT": True,
        "ATOMIC_REQUESTS": False,
    }
    connection = DatabaseWrapper(database, "proxied")
    yield connection
    connection.close()


def ask(connection, statement="SELECT 1"):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def test_an_answer_that_takes_too_long_is_an_error_and_costs_the_connection(connection, proxy):
    assert ask(connection) == 1
    connection.patience = 0.5
    proxy.hang()
    began = time.monotonic()
    with pytest.raises(OperationalError, match=r"did not answer within 0\.5 s"):
        ask(connection)
    assert time.monotonic() - began < 2
    assert not connection.is_usable()
    proxy.mend()
    connection.close_if_unusable_or_obsolete()
    assert ask(connection) == 1


def test_who_has_all_the_time_waits(connection):
    assert ask(connection, "SELECT 1 FROM pg_sleep(1)") == 1


def test_a_server_that_takes_connections_and_says_nothing_is_given_up(connection, proxy):
    proxy.hang()
    began = time.monotonic()
    with pytest.raises(OperationalError):
        ask(connection)
    assert time.monotonic() - began < 5


def test_a_statement_that_nobody_waits_for_ends(connection):
    connection.patience = 0.5
    pid = ask(connection, "SELECT pg_backend_pid()")
    with pytest.raises(OperationalError):
        ask(connection, "SELECT 1 FROM pg_sleep(60)")
    with psycopg.connect(services.POSTGRESQL_URL, autocommit=True) as other:
        deadline = time.monotonic() + 10
        while other.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()[0]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
