"""The rules of retention over HTTP, and what they would do."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.models import Retention, TrainedModel
from tests.factories import BundleFactory, MessageFactory, TrainedModelFactory, take

URL = "/api/v1/retention/"
PREVIEW = "/api/v1/retention/preview/"


def put(client, **body):
    return client.put(URL, body, content_type="application/json")


@pytest.fixture
def models(project):
    return [TrainedModelFactory(project=project, name=f"model-{letter}", size=100) for letter in "abc"]


def test_it_begins_off_and_is_changed_as_a_whole(as_ana, project):
    off = {
        "enabled": False,
        "keep_models": None,
        "keep_bundles": None,
        "served_within_days": None,
        "keep_log_days": None,
        "forget_after_days": None,
    }
    assert as_ana.get(URL).json() == off
    assert put(as_ana, enabled=True, keep_models=5, keep_bundles=3).json() == off | {
        "enabled": True,
        "keep_models": 5,
        "keep_bundles": 3,
    }
    assert put(as_ana, enabled=True, served_within_days=30).json()["keep_models"] is None
    assert as_ana.get(URL).json()["served_within_days"] == 30


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "enabled"),
        ({"enabled": "yes"}, "enabled"),
        ({"enabled": True}, "enabled"),
        ({"enabled": True, "keep_models": 0}, "keep_models"),
        ({"enabled": True, "keep_models": -1}, "keep_models"),
        ({"enabled": True, "keep_models": "5"}, "keep_models"),
        ({"enabled": True, "keep_models": 10**12}, "keep_models"),
        ({"enabled": True, "served_within_days": 40_000}, "served_within_days"),
        ({"enabled": True, "keep_log_days": 0}, "keep_log_days"),
        ({"enabled": True, "keep_models": 5, "keep_evaluations": 1}, "keep_evaluations"),
    ],
)
def test_what_is_no_rule_is_refused_by_its_field_and_changes_nothing(as_ana, project, body, field):
    refused = put(as_ana, **body)
    assert refused.status_code == 400
    assert field in refused.json()["errors"]
    assert not Retention.objects.exists()


def test_the_preview_tells_what_goes_why_all_else_stays_and_what_it_frees(as_ana, project, models):
    BundleFactory(project=project)
    document = as_ana.get(PREVIEW, {"keep_models": 1}).json()
    assert document["models"] == {"going": 2, "kept": 1, "frees": 200}
    assert document["bundles"] == {"going": 0, "kept": 1, "frees": 0}
    assert document["logs"] == {"going": 0, "kept": 0}
    assert document["frees"] == 200
    assert [(item["name"], item["goes"], item["frees"], item["reasons"]) for item in document["results"][:3]] == [
        ("model-c", False, 0, ["it is the newest"]),
        ("model-b", True, 100, []),
        ("model-a", True, 100, []),
    ]
    assert TrainedModel.objects.present().count() == 3


def test_without_a_rule_in_the_query_it_is_by_those_of_the_project(as_ana, project, models):
    put(as_ana, enabled=False, keep_models=2)
    assert as_ana.get(PREVIEW).json()["models"]["going"] == 1


def test_it_comes_in_pages(as_ana, project, models):
    first = as_ana.get(PREVIEW, {"keep_models": 1, "goes": "true", "limit": 1}).json()
    assert [item["name"] for item in first["results"]] == ["model-b"]
    second = as_ana.get(first["next"]).json()
    assert ([item["name"] for item in second["results"]], second["next"]) == (["model-a"], None)
    assert second["models"] == first["models"]


@pytest.mark.parametrize(
    "query", [{"keep_models": "0"}, {"keep_models": "many"}, {"goes": "maybe"}, {"cursor": "-1"}, {"limit": "0"}]
)
def test_a_query_that_means_nothing_is_refused(as_ana, project, query):
    assert as_ana.get(PREVIEW, query).status_code == 400


def test_when_messages_are_forgotten_says_who_may_forget_them(ana, as_ana, production):
    MessageFactory(environment=production, at=timezone.now() - timedelta(days=31))
    assert as_ana.get(f"{URL}preview/?forget_after_days=30").json()["messages"] == 1
    take(ana, "conversations.write")
    refused = put(as_ana, enabled=True, forget_after_days=30)
    assert (refused.status_code, refused.json()["grant"]) == (403, "conversations.write")
    assert put(as_ana, enabled=True, keep_models=30).status_code == 200
