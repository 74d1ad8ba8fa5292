"""Alive and ready: for load balancers and orchestrators, without credentials."""

import pytest
from django.db import connection

from controlplane.celery import app
from tests import services

NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture
def broker_address():
    """Change where the broker is for one test."""
    before = app.conf.broker_transport, app.conf.broker_write_url

    def set_to(url):
        app.conf.broker_transport, app.conf.broker_write_url = None, url

    yield set_to
    app.conf.broker_transport, app.conf.broker_write_url = before


def test_alive_needs_neither_database_nor_credentials(client):
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_ready_tells_the_state_of_each_part(client, db):
    response = client.get("/readyz")
    assert response.status_code == 200
    parts = dict.fromkeys(("database", "broker", "cache", "storage", "instance"), "ok")
    assert response.json() == {"status": "ready", **parts}


def test_without_a_writable_home_it_is_not_ready(client, db, settings, tmp_path):
    settings.CONTROLPLANE_HOME = tmp_path / "gone"
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["storage"] == "unavailable"


def test_without_a_broker_requests_are_still_answered_and_it_is_told(client, db, broker_address):
    broker_address("amqp://someone:secret@127.0.0.1:1//")
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["broker"] == "unavailable"
    assert "secret" not in response.text


@pytest.mark.rabbitmq
def test_a_rabbitmq_broker_is_ready(client, db, broker_address):
    broker_address(services.RABBITMQ_URL)
    assert client.get("/readyz").json()["broker"] == "ok"


@pytest.mark.redis
def test_a_redis_broker_is_ready(client, db, broker_address):
    broker_address(services.REDIS_URL)
    assert client.get("/readyz").json()["broker"] == "ok"


def test_without_a_database_it_is_not_ready(client, db):
    with connection.execute_wrapper(refuse):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["database"] == "unavailable"


def test_without_a_cache_requests_are_still_answered_and_it_is_told(client, db, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": NOBODY}}
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["cache"] == "unavailable"


def refuse(execute, sql, params, many, context):
    raise OSError("no database")


def test_neither_takes_a_post(client):
    assert client.post("/healthz").status_code == 405
