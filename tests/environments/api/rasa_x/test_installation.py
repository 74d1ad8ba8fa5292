"""Health, versions and configuration, as Rasa X told them: from what is known, never by asking a server."""

from datetime import timedelta

import pytest
from django.test import Client
from ruamel.yaml import YAML

from environments.models import ServerCheck
from environments.serving import service_tokens
from tests.conftest import client_of

NOBODY = {"version": None, "minimum_compatible_version": None, "status": 503}


def check(environment, **more):
    values = {"due_at": environment.created_at, "version": "3.6.21", "minimum_compatible_version": "3.6.21"}
    return ServerCheck.objects.create(environment=environment, **values | more)


def test_anybody_is_told_of_the_health_of_production_and_the_worker(production, worker, experimental, django_now):
    check(production, checked_at=django_now, reached_at=django_now)
    check(worker, version="3.6.20", checked_at=django_now, reached_at=django_now - timedelta(hours=1), failures=3)
    check(experimental, reached_at=django_now)
    response = Client().get("/api/health")
    assert response.status_code == 200
    assert response.json() == {
        "production": {"version": "3.6.21", "minimum_compatible_version": "3.6.21", "status": 200},
        "worker": {"version": "3.6.20", "minimum_compatible_version": "3.6.21", "status": 503},
        "database_migration": {"status": "completed", "progress_in_percent": 100},
    }


def test_health_and_versions_do_without_any_environment(project):
    assert Client().get("/api/health").json()["production"] == NOBODY
    assert Client().get("/api/health").json()["worker"] == NOBODY
    assert Client().get("/api/version").json()["rasa"] == {"production": None, "worker": None}


def test_anybody_is_told_the_versions_and_keys(production, worker, django_now):
    check(production)
    check(worker, version="")
    assert Client().get("/api/version/").json() == {
        "rasa": {"production": "3.6.21", "worker": None},
        "rasa-x": "1.4.6",
        "enterprise": True,
        "keys": [],
    }


def test_retired_environments_are_not_told_of(production, django_now):
    check(production, reached_at=django_now)
    production.retired_at = django_now
    production.save()
    assert Client().get("/api/health").json()["production"] == NOBODY


def config(client, query=None):
    response = client.get("/api/config", query or {})
    assert response.status_code == 200
    return {name: YAML(typ="safe").load(text) for name, text in response.json().items()}


def test_a_rasa_server_is_told_its_own_configuration(production, worker, experimental, settings):
    settings.PUBLIC_URL = "https://rasa.example.com"
    experimental.pull_interval = 2.5
    experimental.save()
    found = config(Client(), {"token": service_tokens.service_token(experimental)})
    assert found == {
        "endpoints": {
            "models": {
                "url": "https://rasa.example.com/api/projects/default/models/tags/experimental",
                "headers": {"Authorization": "Bearer ${RASA_X_TOKEN}"},
                "params": {"environment": "experimental", "replica": "${HOSTNAME}"},
                "wait_time_between_pulls": 2.5,
            }
        },
        "credentials": {"rest": None},
    }
    client = Client(headers={"authorization": f"Bearer {service_tokens.service_token(worker)}"})
    assert config(client)["endpoints"]["models"]["url"].endswith("/tags/production")


def test_others_are_told_of_production(as_ben, production, settings):
    settings.RASA_X_TOKEN = "shared"
    production.pulls_once = True
    production.save()
    for found in (config(Client(), {"token": "shared"}), config(as_ben)):
        assert found["endpoints"]["models"]["params"]["environment"] == "production"
        assert found["endpoints"]["models"]["wait_time_between_pulls"] is None


def test_there_is_a_configuration_without_any_environment(as_ana, project):
    assert config(as_ana)["endpoints"]["models"]["wait_time_between_pulls"] == 10


@pytest.mark.parametrize("query", [{}, {"token": "wrong"}, {"token": "cps_1_wrong"}, {"token": ""}])
def test_without_a_token_there_is_no_configuration(production, query):
    assert Client().get("/api/config", query).status_code == 401


def test_who_may_read_the_configuration(as_cy, dora, production):
    assert as_cy.get("/api/config").status_code == 404
    assert client_of(dora).get("/api/config").status_code == 200
