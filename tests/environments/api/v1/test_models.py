"""Models over HTTP: lists with their filters, one of them, its metadata, what differs."""

import pytest
from django.utils import timezone

from environments.actions import promotions
from environments.models import Tag
from tests.factories import ProjectFactory, TrainedModelFactory

URL = "/api/v1/models/"


def names(client, query=""):
    return [row["name"] for row in client.get(URL + query).json()["results"]]


def test_the_list_is_newest_first_and_holds_only_this_project(as_ana, otter, heron):
    TrainedModelFactory(project=ProjectFactory(name="banking"), name="teller")
    assert names(as_ana) == ["calm-heron", "brisk-otter"]
    assert names(as_ana, "?project=banking") == ["teller"]


def test_a_deleted_model_is_gone(as_ana, otter):
    otter.deleted_at = timezone.now()
    otter.save()
    assert names(as_ana) == []
    assert as_ana.get(URL + "brisk-otter/").status_code == 404


def test_a_model_tells_all_it_is(as_ana, by_ana, project, production, worker, otter):
    promotions.promote(environment=production, model=otter, by=by_ana)
    Tag.objects.create(project=project, name="nightly", model=otter)
    shown = as_ana.get(URL + "brisk-otter/").json()
    assert shown["hash"] == otter.hash
    assert shown["trained_at"] == otter.trained_at.isoformat().replace("+00:00", "Z")
    assert shown["tags"] == ["nightly", "production"]
    assert shown["environments"] == ["production", "worker"]
    assert (shown["job"], shown["bundle"]) == (None, None)
    assert set(shown["counts"]) == {"intents", "entities", "slots", "responses", "actions", "forms", "flows"}
    assert as_ana.get(URL).json()["results"] == [shown]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?tag=nightly", ["calm-heron"]),
        ("?tag=production", ["brisk-otter"]),
        ("?tag=none", []),
        ("?tag=active", ["brisk-otter"]),
        ("?tag=latest", ["calm-heron"]),
        ("?tag=latest&q=otter", []),
        ("?environment=production", ["brisk-otter"]),
        ("?environment=worker", ["brisk-otter"]),
        ("?q=OTT", ["brisk-otter"]),
        ("?q=-", ["calm-heron", "brisk-otter"]),
        ("?q=HASH", ["calm-heron"]),
        ("?q=zzz", []),
        ("?tag=production&q=heron", []),
    ],
)
def test_filters(as_ana, by_ana, project, production, worker, otter, heron, query, found):
    promotions.promote(environment=production, model=otter, by=by_ana)
    Tag.objects.create(project=project, name="nightly", model=heron)
    assert names(as_ana, query.replace("HASH", heron.hash[:8])) == found


def test_a_filter_by_an_unknown_environment_is_404(as_ana, otter):
    assert as_ana.get(URL + "?environment=nowhere").status_code == 404


def test_a_list_takes_a_constant_number_of_queries(as_ana, project, django_assert_max_num_queries):
    for number in range(20):
        Tag.objects.create(project=project, name=f"tag-{number}", model=TrainedModelFactory(project=project))
    with django_assert_max_num_queries(8):
        assert len(names(as_ana)) == 20


def test_metadata_is_that_of_the_archive(as_ana, project):
    TrainedModelFactory(project=project, name="m", metadata={"language": "en", "domain": {"intents": ["greet"]}})
    assert as_ana.get(URL + "m/metadata/").json() == {"language": "en", "domain": {"intents": ["greet"]}}


def test_a_diff_is_what_this_model_changes_against_the_other(as_ana, project):
    TrainedModelFactory(project=project, name="old", metadata={"domain": {"intents": ["greet", "bye"]}})
    TrainedModelFactory(project=project, name="new", metadata={"domain": {"intents": ["greet", "ask"]}})
    diff = as_ana.get(URL + "new/diff/?against=old").json()
    assert (diff["a"], diff["b"]) == ("old", "new")
    assert diff["intents"] == {"added": ["ask"], "removed": ["bye"], "changed": []}


def test_a_diff_needs_the_other_model(as_ana, otter):
    assert as_ana.get(URL + "brisk-otter/diff/").status_code == 400
    assert as_ana.get(URL + "brisk-otter/diff/?against=nobody").status_code == 404


ROUTES = ["", "brisk-otter/", "brisk-otter/metadata/", "brisk-otter/diff/?against=brisk-otter"]


@pytest.mark.parametrize("route", ROUTES)
def test_an_outsider_gets_404(as_cy, otter, route):
    assert as_cy.get(URL + route).status_code == 404


@pytest.mark.parametrize("route", ROUTES)
def test_without_the_grant_to_read_models_it_is_named(as_dora, otter, route):
    refused = as_dora.get(URL + route)
    assert (refused.status_code, refused.json()["grant"]) == (403, "models.read")
