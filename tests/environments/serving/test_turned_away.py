"""A server whose token does not open its tag is told about: it cannot say so itself."""

from datetime import timedelta

import pytest
from django.core.cache import cache

from environments.serving import outages, turned_away
from environments.serving.service_tokens import service_token
from tests.factories import EnvironmentFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_yet(monkeypatch):
    cache.clear()
    monkeypatch.setattr(turned_away, "NOTE_EVERY", 0.0)


def ask(client, token, tag="production", project="default", **query):
    query = {"replica": "rasa-1", "token": token, **query}
    return client.get(f"/api/projects/{project}/models/tags/{tag}", query, headers={"If-None-Match": "new"}).status_code


def test_an_unknown_token(client, production):
    assert ask(client, "cps_1_guessed") == 401
    found = turned_away.last(production)
    assert (found.name, found.address) == ("rasa-1", "127.0.0.1")


def test_the_token_of_another_environment(client, production):
    other = EnvironmentFactory(name="staging", project=production.project)
    assert ask(client, service_token(other)) == 403
    assert turned_away.last(production).name == "rasa-1"
    assert turned_away.last(other) is None


def test_the_other_name_of_production(client, production):
    ask(client, "guessed", tag="active")
    assert turned_away.last(production) is not None


def test_a_follower_tells_of_the_tag_it_follows(client, production):
    follower = EnvironmentFactory(name="canary", project=production.project, follows=production)
    ask(client, "guessed")
    assert turned_away.last(follower) is not None


def test_who_is_heard_since_is_no_news(client, production):
    ask(client, "guessed")
    ask(client, service_token(production))
    assert turned_away.last(production) is None


def test_another_one_that_is_heard_does_not_hide_it(client, production):
    ask(client, "guessed")
    ask(client, service_token(production), replica="rasa-2")
    assert turned_away.last(production).name == "rasa-1"


@pytest.mark.parametrize(
    ("place", "tag"), [("default", "nightly"), ("elsewhere", "production"), ("default", "Odd%20name")]
)
def test_what_is_no_environment_leaves_nothing(client, production, place, tag):
    assert ask(client, "guessed", tag=tag, project=place) == 401
    assert turned_away.last(production) is None


def test_a_flood_of_them_costs_one_question_a_second(client, production, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(turned_away, "NOTE_EVERY", timedelta(hours=1).total_seconds())
    monkeypatch.setattr(turned_away, "_noted_at", float("-inf"))
    with django_assert_num_queries(1):
        for _ in range(5):
            ask(client, "guessed")
    assert turned_away.last(production) is not None


def test_while_the_cache_is_away_polls_are_turned_away_all_the_same(client, production):
    outages.cache.failed(OSError("gone"))
    assert ask(client, "guessed") == 401
    assert turned_away.last(production) is None
