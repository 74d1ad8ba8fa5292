"""The edges of every native list: its limit, its cursor, and what is added between two pages."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.models import TrainedModel
from tests.factories import BundleFactory, EnvironmentFactory, JobFactory, TrainedModelFactory

LISTS = [
    "/api/v1/environments/",
    "/api/v1/environments/production/promotions/",
    "/api/v1/models/",
    "/api/v1/bundles/",
    "/api/v1/jobs/",
    "/api/v1/tokens/",
]
MODELS = "/api/v1/models/"

every_list = pytest.mark.parametrize("url", LISTS)


def names(page):
    return [row["name"] for row in page.json()["results"]]


@every_list
@pytest.mark.parametrize("limit", ["", "0", "-1", "501", "1.0", "1e2", " 1", "٣", "²", "9" * 30])
def test_a_limit_is_a_whole_number_from_1_to_500(as_ana, production, url, limit):
    refused = as_ana.get(url, {"limit": limit})
    assert refused.status_code == 400
    assert refused.json()["detail"] == "limit is a whole number from 1 to 500."


@every_list
@pytest.mark.parametrize("cursor", ["", "0x1", "-1", "٣", "1-", "-", "a-1", "1-1-1", "9" * 19, f"{'9' * 18}-1"])
def test_a_cursor_is_what_the_page_before_gave(as_ana, production, url, cursor):
    refused = as_ana.get(url, {"cursor": cursor})
    assert refused.status_code == 400
    assert refused.json()["detail"] == "cursor is what `next` of the page before gave."


@pytest.mark.parametrize(("url", "cursor"), [(MODELS, "5"), ("/api/v1/bundles/", "5-5")])
def test_the_cursor_of_another_list_is_refused(as_ana, production, url, cursor):
    assert as_ana.get(url, {"cursor": cursor}).status_code == 400


@pytest.mark.parametrize(
    ("url", "factory"),
    [
        ("/api/v1/environments/", EnvironmentFactory),
        (MODELS, TrainedModelFactory),
        ("/api/v1/bundles/", BundleFactory),
        ("/api/v1/jobs/", JobFactory),
    ],
)
def test_pages_of_one_hold_each_row_once_and_end(as_ana, project, url, factory):
    def add(name):
        factory(project=project, **({"name": name} if factory is EnvironmentFactory else {}))

    for n in range(3):
        add(f"first-{n}")
    whole = as_ana.get(url).json()
    assert whole["next"] is None
    rows, following = [], f"{url}?limit=1"
    while following:
        page = as_ana.get(following).json()
        rows += page["results"]
        following = page["next"]
        add(f"later-{len(rows)}")
    assert rows == whole["results"]


def test_a_limit_that_is_just_met_has_no_next_page(as_ana, otter, heron):
    assert as_ana.get(MODELS, {"limit": "2"}).json()["next"] is None
    assert as_ana.get(MODELS, {"limit": "500"}).json()["next"] is None
    assert as_ana.get(MODELS, {"limit": "1"}).json()["next"] is not None


def test_a_model_that_was_uploaded_again_is_the_newest(as_ana, otter, heron):
    TrainedModel.objects.filter(pk=otter.pk).update(registered_at=timezone.now() + timedelta(seconds=1))
    assert names(as_ana.get(MODELS)) == ["brisk-otter", "calm-heron"]
    first = as_ana.get(MODELS, {"limit": "1"})
    assert names(first) == ["brisk-otter"]
    assert names(as_ana.get(first.json()["next"])) == ["calm-heron"]


def test_models_of_one_moment_are_each_shown_once(as_ana, project):
    for n in range(5):
        TrainedModelFactory(project=project, name=f"m{n}")
    TrainedModel.objects.update(registered_at=timezone.now())
    shown, following = [], f"{MODELS}?limit=2"
    while following:
        page = as_ana.get(following)
        shown += names(page)
        following = page.json()["next"]
    assert shown == ["m4", "m3", "m2", "m1", "m0"]


def test_filters_stay_on_the_next_page(as_ana, project):
    for name in ("a-1", "b-1", "a-2"):
        TrainedModelFactory(project=project, name=name)
    first = as_ana.get(MODELS, {"q": "a-", "limit": "1"})
    assert names(first) + names(as_ana.get(first.json()["next"])) == ["a-2", "a-1"]
