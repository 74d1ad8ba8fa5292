"""The models page, one model's page, its menu, its tags, and its end."""

import re

import pytest
from django.test import Client

from environments.actions import promotions, tags
from environments.models import Tag, TrainedModel
from tests.factories import TrainedModelFactory, take

MODELS = "/p/default/models/"
OTTER = f"{MODELS}brisk-otter/"


def names(answer) -> list[str]:
    return re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)</a>', answer.content.decode())


@pytest.fixture
def shelf(project):
    """Three models that differ in everything one can look for."""
    TrainedModelFactory(project=project, name="alpha", version="3.6.20", registered_by_name="ben", size=3)
    TrainedModelFactory(project=project, name="beta", version="3.6.21", registered_by_name="ana", size=1)
    return TrainedModelFactory(project=project, name="gamma", version="3.6.21", registered_by_name="ben", size=2)


def test_models_are_listed_registered_last_first(ana_looks, production, shelf):
    assert names(ana_looks.get(MODELS)) == ["gamma", "beta", "alpha"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "ET"}, ["beta"]),
        ({"version": "3.6.20"}, ["alpha"]),
        ({"by": "ben"}, ["gamma", "alpha"]),
        ({"tag": "lts"}, ["gamma"]),
        ({"environment": "production"}, ["beta"]),
        ({"sort": "name"}, ["alpha", "beta", "gamma"]),
        ({"sort": "-size"}, ["alpha", "gamma", "beta"]),
        ({"sort": "nonsense", "page": "nonsense"}, ["gamma", "beta", "alpha"]),
        ({"q": "nothing like it"}, []),
    ],
)
def test_models_are_searched_filtered_and_sorted(ana_looks, production, shelf, by_ana, query, found):
    tags.put(project=shelf.project, tag="lts", model=shelf, by=by_ana)
    beta = TrainedModel.objects.get(name="beta")
    promotions.promote(environment=production, model=beta, by=by_ana)
    assert names(ana_looks.get(MODELS, query)) == found


def test_a_hash_is_found_by_its_beginning(ana_looks, production, shelf):
    assert names(ana_looks.get(MODELS, {"q": shelf.hash[:12]})) == ["gamma"]


def test_long_lists_have_pages(ana_looks, project, django_assert_max_num_queries):
    for number in range(60):
        TrainedModelFactory(project=project, name=f"model-{number:02}")
    with django_assert_max_num_queries(25):
        first = ana_looks.get(MODELS)
    assert len(names(first)) == 50
    assert names(ana_looks.get(MODELS, {"page": 2}))[-1] == "model-00"


def test_a_model_shows_what_is_in_it_and_where_it_served(ana_looks, replaced, otter):
    otter.metadata = {"domain": {"intents": ["greet", {"ask_fees": {"use_entities": []}}], "slots": {"iban": {}}}}
    otter.save()
    html = ana_looks.get(OTTER).content.decode()
    assert "<li>ask_fees</li>" in html
    assert "<li>iban</li>" in html
    assert otter.hash in html
    assert "first release" in html


@pytest.mark.parametrize(
    "metadata", [{}, {"domain": []}, {"domain": {"intents": 3}}, {"predict_schema": {"nodes": []}}]
)
def test_odd_metadata_breaks_no_page(ana_looks, otter, metadata):
    otter.metadata = metadata
    otter.save()
    assert ana_looks.get(OTTER).status_code == 200


def test_the_menu_offers_what_may_be_done_and_says_why_the_rest_is_off(ben_looks, promoted, experimental):
    html = ben_looks.get(f"{OTTER}menu/").content.decode()
    assert 'href="/p/default/environments/experimental/promote/?model=brisk-otter"' in html
    assert "production — serves it" in html
    assert "In use: production is to serve it" in html
    assert 'href="/api/projects/default/models/brisk-otter"' in html


def test_a_tag_is_put_and_taken_away(ana_looks, otter):
    assert ana_looks.post(f"{OTTER}tag/", {"tag": "nightly"}).status_code == 302
    assert Tag.objects.get().model == otter
    assert ana_looks.post(f"{OTTER}untag/", {"tag": "nightly"}).status_code == 302
    assert not Tag.objects.exists()


def test_an_environments_tag_is_not_put_here(ana_looks, otter, production):
    answer = ana_looks.post(f"{OTTER}tag/", {"tag": "production"})
    assert answer.status_code == 409
    assert b"Promote the model to it instead" in answer.content
    assert not Tag.objects.exists()


@pytest.mark.parametrize("tag", ["", "Upper", "latest"])
def test_a_tag_that_cannot_be_is_refused_in_the_dialog(ana_looks, otter, tag):
    answer = ana_looks.post(f"{OTTER}tag/", {"tag": tag})
    assert answer.status_code == 400
    assert b"cannot be" in answer.content


def test_a_model_that_nothing_uses_is_deleted(ana_looks, otter):
    assert b"Delete it" in ana_looks.get(f"{OTTER}delete/").content
    assert ana_looks.post(f"{OTTER}delete/").url == MODELS
    assert ana_looks.get(OTTER).status_code == 404


def test_a_model_in_use_is_not_deleted(ana_looks, promoted, otter):
    answer = ana_looks.post(f"{OTTER}delete/")
    assert answer.status_code == 409
    assert b"production is to serve it" in answer.content
    otter.refresh_from_db()
    assert otter.deleted_at is None


@pytest.mark.parametrize(
    ("path", "fields", "grant"),
    [
        ("tag/", {"tag": "nightly"}, "models.write"),
        ("untag/", {"tag": "nightly"}, "models.write"),
        ("delete/", {}, "models.delete"),
    ],
)
def test_without_the_grant_it_is_refused(ben, ben_looks, otter, path, fields, grant):
    take(ben, grant)
    answer = ben_looks.post(OTTER + path, fields)
    assert answer.status_code == 403
    assert grant.encode() in answer.content
    assert grant.encode() in ben_looks.get(f"{OTTER}menu/").content


@pytest.mark.parametrize("path", ["tag/", "untag/", "delete/"])
def test_an_outsider_changes_nothing(cy_looks, otter, path):
    assert cy_looks.post(OTTER + path, {"tag": "nightly"}).status_code == 404


def test_forms_need_their_token(ana, otter):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ana)
    assert browser.post(f"{OTTER}tag/", {"tag": "nightly"}).status_code == 403
