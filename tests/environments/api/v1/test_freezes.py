"""After a restore, through the API: what an environment says of itself, and the decision."""

import pytest
from django.utils import timezone

from environments.actions import freezes, promotions
from environments.models import Environment
from tests.environments.pages.test_freezes import has

URL = "/api/v1/environments/production/"


@pytest.fixture
def frozen(production, otter, heron, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    now = timezone.now()
    freezes.freeze_all(as_of=now, now=now)
    has(production, "rasa-1", heron.hash)
    return Environment.objects.get(pk=production.pk)


def test_it_tells_since_when_and_what_its_servers_have(as_ana, frozen, heron):
    said = as_ana.get(URL).json()["frozen"]
    assert said["serves"] == [{"hash": heron.hash, "model": "calm-heron", "replicas": ["rasa-1"]}]
    assert said["since"].endswith("Z")
    assert said["backup_of"].endswith("Z")


def test_one_that_waits_for_nothing_says_null(as_ana, production):
    assert as_ana.get(URL).json()["frozen"] is None


def test_a_promotion_is_refused_with_the_cure_until_it_is_decided(as_ana, frozen):
    refused = as_ana.post(f"{URL}promotions/", {"model": "calm-heron"}, content_type="application/json")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/environment-frozen")
    decided = as_ana.post(f"{URL}resume/", {"model": "calm-heron"}, content_type="application/json")
    assert (decided.status_code, decided.json()["frozen"], decided.json()["model"]["name"]) == (200, None, "calm-heron")


def test_a_decision_needs_a_model_by_its_name_or_null(as_ana, frozen):
    assert as_ana.post(f"{URL}resume/", {}, content_type="application/json").status_code == 400
    unknown = as_ana.post(f"{URL}resume/", {"model": "nobody"}, content_type="application/json")
    assert unknown.status_code == 404
    assert as_ana.post(f"{URL}resume/", {"model": None}, content_type="application/json").status_code == 200


def test_it_takes_the_grant_to_promote_there(as_ben, as_cy, frozen):
    body = {"model": "brisk-otter"}
    refused = as_ben.post(f"{URL}resume/", body, content_type="application/json")
    assert (refused.status_code, refused.json()["grant"]) == (403, "environments.production.write")
    assert as_cy.post(f"{URL}resume/", body, content_type="application/json").status_code == 404
