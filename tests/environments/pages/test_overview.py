"""The overview: what is where at one look, with a constant number of queries."""

import re

import pytest
from django.utils import timezone

from accounts.models import Project
from environments.actions import promotions
from environments.decisions import Record
from environments.models import Listening, Promotion, Replica
from environments.serving.service_tokens import service_token
from tests.environments.pages.conftest import signed_in
from tests.factories import EnvironmentFactory, TrainedModelFactory

QUERIES = 32


def seen_by(html: str) -> str:
    """What the browser says it shows."""
    return " ".join(re.findall(r'data-digest="([^"]+)"', html))


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


def test_of_many_environments_a_model_names_those_where_it_is_instead_of_a_column_for_each(
    ana_looks, project, otter, by_ana
):
    for number in range(9):
        environment = EnvironmentFactory(project=project, name=f"site-{number}", order=number)
        promotions.promote(environment=environment, model=otter, by=by_ana)
    for address in ("/p/default/", "/p/default/models/"):
        html = ana_looks.get(address).content.decode()
        assert '<th scope="col">Where</th>' in html
        assert "site-5 now</span>" in html
        assert "site-6 now</span>" not in html
        assert "and 3 more</a>" in html


def test_only_what_changed_comes_back(ana_looks, promoted, experimental, otter, by_ana):
    first = ana_looks.get("/p/default/").content.decode()
    seen = seen_by(first)
    assert ana_looks.get("/p/default/changes/", {"seen": seen}).status_code == 204
    promotions.promote(environment=experimental, model=otter, by=by_ana)
    answer = ana_looks.get("/p/default/changes/", {"seen": seen})
    changed = set(re.findall(r'id="([\w-]+)" data-digest', answer.content.decode()))
    assert changed == {"verdict", "card-experimental", "matrix", "lately"}
    assert answer.content.count(b'hx-swap-oob="true"') == 4


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


def steps(client) -> str:
    """The first steps as the overview shows them, empty where it does not."""
    html = client.get("/p/default/").content.decode()
    return html.split('aria-label="First steps"')[1].split("</section>")[0] if "First steps" in html else ""


def test_an_empty_installation_leads_to_the_first_model(ana_looks, production):
    shown = steps(ana_looks)
    assert "/models/tags/production" in shown
    assert "Not seen yet" in shown
    assert 'class="done"' not in shown
    assert "/p/default/upload/" in shown


def test_a_step_is_done_by_what_is_seen(ana_looks, promoted, production):
    shown = steps(ana_looks)
    assert shown.count('class="done"') == 2
    now = timezone.now()
    polled = Record(etag="1" * 32, etag_since=now.timestamp(), polls=(now.timestamp(),)).as_json()
    Replica.objects.create(
        environment=production, name="rasa-1", first_seen_at=now, last_poll_at=now, address="10.0.0.1", record=polled
    )
    Listening.objects.create(since=now, until=now)
    assert "<code>rasa-1</code> of production, seen" in steps(ana_looks)


def test_the_steps_name_the_variable_and_never_the_token(ana_looks, production):
    shown = steps(ana_looks)
    assert "${" in shown
    assert service_token(production) not in shown


def test_once_a_promotion_was_proved_the_steps_are_gone(ana_looks, promoted):
    assert steps(ana_looks)
    Promotion.objects.update(status="succeeded")
    assert steps(ana_looks) == ""
