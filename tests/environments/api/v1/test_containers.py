"""GET environments/{name}/containers/ and POST …/restart/."""

import pytest

from environments import drift
from environments.models import Slot

URL = "/api/v1/environments/production/containers/"
LABELS = {drift.PROJECT: "default", drift.ENVIRONMENT: "production"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def engine(settings, fake_docker):
    settings.CONTROLPLANE_DOCKER_URL = fake_docker.url
    return fake_docker


def test_what_the_engine_runs_of_it(as_dora, production, engine):
    made = engine.run("rasa-production-1", LABELS, restarts=2)
    [container] = as_dora.get(URL).json()
    assert container.pop("started_at")
    assert container == {
        "name": "rasa-production-1",
        "id": made.id,
        "image": "tiny:1",
        "state": "running",
        "health": "",
        "restarts": 2,
        "exit_code": 0,
        "out_of_memory": False,
        "memory": {"used": 50 * 1024**2 - 1024, "limit": 2 * 1024**3},
    }


def test_a_restart_by_name_or_id(as_ana, production, engine):
    made = engine.run("rasa-production-1", LABELS)
    assert as_ana.post(f"{URL}rasa-production-1/restart/").status_code == 204
    Slot.objects.all().delete()
    assert as_ana.post(f"{URL}{made.id[:12]}/restart/").status_code == 204
    assert engine.calls.count(f"POST /containers/{made.id}/restart") == 2
    assert as_ana.post(f"{URL}rasa-production-9/restart/").status_code == 404


def test_without_the_grant_403_with_its_name_and_to_an_outsider_404(as_ben, as_cy, production, engine):
    engine.run("rasa-production-1", LABELS)
    refused = as_ben.post(f"{URL}rasa-production-1/restart/")
    assert (refused.status_code, refused.json()["grant"]) == (403, "environments.production.write")
    assert as_cy.get(URL).status_code == 404


def test_a_refusal_is_a_conflict_with_its_reason(as_ana, production, engine):
    production.replicas = 2
    production.save()
    engine.run("rasa-production-1", LABELS)
    refused = as_ana.post(f"{URL}rasa-production-1/restart/")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/restart-refused")


def test_an_engine_that_is_away_is_503_and_none_at_all_404(as_ana, production, engine, settings):
    engine.override = (503, b"")
    answer = as_ana.get(URL)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/engine-unavailable")
    assert answer.headers["Retry-After"] == "10"
    settings.CONTROLPLANE_DOCKER_URL = ""
    assert as_ana.get(URL).status_code == 404
