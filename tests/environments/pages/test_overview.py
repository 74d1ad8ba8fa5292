"""The overview: what is where at one look, with a constant number of queries."""

import re

import pytest

from accounts.models import Project
from environments.actions import promotions
from tests.environments.pages.conftest import signed_in
from tests.factories import EnvironmentFactory, TrainedModelFactory

QUERIES = 32


def seen_by(html: str) -> str:
    """What the browser says it shows."""
    return " ".join(f"{found[0]}:{found[1]}" for found in re.findall(r'id="([^"]+)" data-digest="([^"]+)"', html))


def test_the_overview_says_what_is_where(ana_looks, replaced, experimental, worker):
    html = ana_looks.get("/p/default/").content.decode()
    cards = html.split('<article class="card')[1:]
    assert [re.search(r'id="env-(\w+)"', card)[1] for card in cards] == ["production", "experimental", "worker"]
    assert "calm-heron" in cards[0]
    assert "No model yet" in cards[1]
    assert "follows production" in cards[2]
    row = re.search(r"<tr>(?:(?!</tr>).)*brisk-otter.*?</tr>", html, re.DOTALL)[0]
    assert '<span class="pill before">before</span>' in row


def test_sync_and_health_are_two_signs_with_words(ana_looks, promoted):
    html = ana_looks.get("/p/default/").content.decode()
    assert "Sync unknown" in html
    assert "Health unknown" in html


def test_the_overview_costs_the_same_however_much_there_is(ana, promoted, by_ana, django_assert_max_num_queries):
    browser = signed_in(ana)
    project = promoted.environment.project
    for number in range(6):
        environment = EnvironmentFactory(project=project, name=f"stage-{number}", order=number + 5)
        for name in (f"a-{number}", f"b-{number}"):
            model = TrainedModelFactory(project=project, name=name)
            promotions.promote(environment=environment, model=model, by=by_ana)
    with django_assert_max_num_queries(QUERIES):
        browser.get("/p/default/")


def test_only_what_changed_comes_back(ana_looks, promoted, experimental, otter, by_ana):
    first = ana_looks.get("/p/default/").content.decode()
    seen = seen_by(first)
    assert ana_looks.get("/p/default/changes/", {"seen": seen}).status_code == 204
    promotions.promote(environment=experimental, model=otter, by=by_ana)
    answer = ana_looks.get("/p/default/changes/", {"seen": seen})
    changed = set(re.findall(r'id="([\w-]+)" data-digest', answer.content.decode()))
    assert changed == {"card-experimental", "matrix", "lately"}
    assert answer.content.count(b'hx-swap-oob="true"') == 3


@pytest.mark.django_db
def test_without_environments_it_says_what_to_do_first(ana):
    Project.objects.get_or_create(name="default")
    html = signed_in(ana).get("/p/default/").content.decode()
    assert "environments.yml" in html
    assert "No models yet" in html


def test_buttons_one_may_not_use_say_why(ben_looks, replaced, experimental):
    html = ben_looks.get("/p/default/").content.decode()
    off = re.search(
        r'<span[^>]*id="production-promote"[^>]*>|<span[^>]*title="[^"]*"[^>]*id="production-promote">', html
    )[0]
    assert 'aria-disabled="true"' in off
    assert "environments.production.write" in off
    assert re.search(r'<a[^>]*id="experimental-promote"', html)


def test_there_is_nothing_to_roll_back_to_before_a_second_model(ana_looks, promoted):
    html = ana_looks.get("/p/default/").content.decode()
    off = re.search(r'<span[^>]*id="production-rollback"[^>]*>', html)[0]
    assert "served no model before this one" in off
