"""Tags through the routes of Rasa X: free ones, and those that are promotions."""

import pytest
from django.test import Client

from accounts.models import AuditEvent
from environments.actions import promotions
from environments.models import Promotion, Tag
from tests.conftest import client_of

URL = "/api/projects/default/models"


def tags():
    return {tag.name: tag.model.name for tag in Tag.objects.all()}


@pytest.mark.parametrize("url", [URL, "/api/models", f"{URL}/nlu", "/api/models/nlu"])
def test_a_tag_moves_from_model_to_model(as_ben, otter, heron, url):
    assert as_ben.put(f"{url}/brisk-otter/tags/nightly").status_code == 204
    assert as_ben.put(f"{url}/calm-heron/tags/nightly").status_code == 204
    assert tags() == {"nightly": "calm-heron"}
    assert as_ben.delete(f"{url}/calm-heron/tags/nightly").status_code == 204
    assert tags() == {}


def test_a_body_is_not_looked_at(as_ben, otter):
    response = as_ben.put(f"{URL}/brisk-otter/tags/nightly", data="{not json", content_type="application/json")
    assert response.status_code == 204


def test_an_environments_tag_is_a_promotion(as_ben, otter, experimental):
    assert as_ben.put(f"{URL}/brisk-otter/tags/experimental").status_code == 204
    promotion = Promotion.objects.get()
    assert (promotion.model, promotion.by_name, promotion.origin) == (otter, "ben", "rasa_x")
    assert AuditEvent.objects.get(action="environment.promote").via == "rasa_x"
    assert as_ben.delete(f"{URL}/brisk-otter/tags/experimental").status_code == 204
    assert Promotion.objects.order_by("pk").last().model is None
    assert tags() == {}


def test_promoting_again_changes_nothing(as_ben, otter, experimental):
    for _ in range(2):
        assert as_ben.put(f"{URL}/brisk-otter/tags/experimental").status_code == 204
    assert Promotion.objects.count() == 1


def test_active_is_production(as_ana, as_ben, otter, production):
    refused = as_ben.put(f"{URL}/brisk-otter/tags/active")
    assert refused.status_code == 403
    assert refused.json()["details"]["grant"] == "environments.production.write"
    assert as_ana.put(f"{URL}/brisk-otter/tags/active").status_code == 204
    assert tags() == {"production": "brisk-otter"}
    assert as_ana.delete(f"{URL}/brisk-otter/tags/active").status_code == 204
    assert tags() == {}


def test_latest_is_nobodys_to_give(as_ana, otter):
    for method in (as_ana.put, as_ana.delete):
        assert method(f"{URL}/brisk-otter/tags/latest").status_code == 400


def test_a_model_loses_only_a_tag_it_has(as_ana, otter, heron, production, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    assert as_ana.delete(f"{URL}/calm-heron/tags/production").status_code == 404
    assert as_ana.delete(f"{URL}/calm-heron/tags/nightly").status_code == 404
    assert tags() == {"production": "brisk-otter"}


def test_an_unknown_model_is_not_found(as_ana, production):
    for method in (as_ana.put, as_ana.delete):
        assert method(f"{URL}/unknown/tags/production").status_code == 404


def test_an_environment_may_refuse_the_old_routes(as_ana, as_ben, otter, production):
    production.rasa_x_writes = "refuse"
    production.save()
    for tag in ("production", "active"):
        refused = as_ana.put(f"{URL}/brisk-otter/tags/{tag}")
        assert refused.status_code == 403
        assert refused.json()["reason"] == "RasaXWritesRefused"
        assert "/api/v1/environments/production/promotions/" in refused.json()["message"]
    assert as_ana.delete(f"{URL}/brisk-otter/tags/production").status_code == 403
    assert tags() == {}


def test_a_followers_tag_and_a_retired_one_are_refused(as_ana, otter, worker, experimental, django_now):
    experimental.retired_at = django_now
    experimental.save()
    for tag in ("worker", "experimental"):
        refused = as_ana.put(f"{URL}/brisk-otter/tags/{tag}")
        assert refused.status_code == 409
    assert tags() == {}


def test_a_tag_that_is_no_label_is_refused(as_ana, otter):
    assert as_ana.put(f"{URL}/brisk-otter/tags/Bad").status_code == 400


def test_who_may_put_a_tag(as_cy, as_ben, dora, otter, production):
    for tag in ("production", "nightly"):
        for method in ("put", "delete"):
            url = f"{URL}/brisk-otter/tags/{tag}"
            assert getattr(as_cy, method)(url).status_code == 404
            assert getattr(client_of(dora), method)(url).status_code == 403
            assert getattr(Client(), method)(url).status_code == 401
    assert as_ben.put(f"{URL}/brisk-otter/tags/production").json()["details"]["grant"] == (
        "environments.production.write"
    )
    assert tags() == {}
