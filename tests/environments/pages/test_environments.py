"""One environment's tabs: history, replicas, connect, settings."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from django.utils.html import strip_tags
from ruamel.yaml import YAML

from environments.actions import promotions
from environments.decisions import TRIES
from environments.models import Promotion, Proof, Replica, TrainedModel
from environments.pages import connect
from environments.serving.service_tokens import service_token
from tests.factories import EnvironmentFactory

PRODUCTION = "/p/default/environments/production/"


def poll(client, environment, replica, etag="new", status=200):
    answer = client.get(
        f"/api/projects/default/models/tags/{environment.tag_name}",
        {"replica": replica},
        headers={"If-None-Match": etag, "Authorization": f"Bearer {service_token(environment)}"},
    )
    b"".join(answer.streaming_content) if answer.streaming else answer.content
    answer.close()
    assert answer.status_code == status


def test_history_tells_who_why_from_what_and_how_fast(ana_looks, replaced, promoted, production, otter):
    Proof.objects.create(
        environment=production,
        replica="r1",
        model=replaced.model,
        promotion=replaced,
        first_at=replaced.created_at,
        proved_at=replaced.created_at,
    )
    html = ana_looks.get(PRODUCTION).content.decode()
    newest, first = html.split('<span class="when">')[1:]
    assert "calm-heron" in newest
    assert "now" in newest
    assert "r1 · 0 s" in newest
    assert "from brisk-otter" in newest
    assert "“first release”" in first
    assert f'href="/p/default/environments/production/rollback/?to={promoted.pk}"' in first


def test_history_tells_from_when_to_when_each_was_there(ana_looks, replaced, promoted):
    begun = datetime(2025, 11, 18, 9, 5, tzinfo=UTC)
    Promotion.objects.filter(pk=promoted.pk).update(created_at=begun)
    Promotion.objects.filter(pk=replaced.pk).update(created_at=begun + timedelta(days=3, hours=1))
    text = unescape(strip_tags(ana_looks.get(PRODUCTION).content.decode()))
    assert "there since Fri 21 Nov 2025, 10:05 UTC\n" in text
    assert "there Tue 18 Nov 2025, 09:05 to Fri 21 Nov 2025, 10:05 UTC, for 3 days\n" in text


def test_history_does_not_tell_how_long_nothing_was_there(ana_looks, replaced, production, by_ana):
    promotions.promote(environment=production, model=None, by=by_ana)
    newest = ana_looks.get(PRODUCTION).content.decode().split('<span class="when">')[1]
    assert "no model" in newest
    assert "there since" not in newest


def test_one_cannot_go_back_to_a_model_that_is_gone(ana_looks, replaced, otter, django_now):
    TrainedModel.objects.filter(pk=otter.pk).update(deleted_at=django_now)
    html = ana_looks.get(PRODUCTION).content.decode()
    assert 'title="brisk-otter was deleted."' in html


def test_a_followers_history_is_that_of_whom_it_follows(ana_looks, replaced, worker):
    html = ana_looks.get("/p/default/environments/worker/").content.decode()
    assert "calm-heron" in html
    assert "Go back to here" not in html


def test_history_has_pages(ana_looks, production, otter, heron, by_ana):
    for number in range(24):
        promotions.promote(environment=production, model=(otter, heron)[number % 2], by=by_ana)
    html = ana_looks.get(PRODUCTION).content.decode()
    older = re.search(r'href="(\?before=\d+)"', html)[1]
    assert ana_looks.get(PRODUCTION + older).content.decode().count('class="when"') == 4


def test_replicas_are_listed_by_their_polls(client, ana_looks, project, production, stored_model, by_ana):
    model = stored_model("brisk-otter")
    promotions.promote(environment=production, model=model, by=by_ana)
    poll(client, production, "rasa-1", model.etag, 304)
    html = ana_looks.get(f"{PRODUCTION}replicas/").content.decode()
    assert "rasa-1" in html
    assert "Serving" in html


def test_a_stuck_replica_can_be_retried(client, ana_looks, ben_looks, production, stored_model, by_ana):
    loaded, broken = stored_model("brisk-otter"), stored_model("calm-heron")
    promotions.promote(environment=production, model=loaded, by=by_ana)
    poll(client, production, "rasa-1", loaded.etag, 304)
    promotions.promote(environment=production, model=broken, by=by_ana)
    for _ in range(TRIES):
        poll(client, production, "rasa-1", loaded.etag, 200)
    poll(client, production, "rasa-1", loaded.etag, 304)
    assert 'form="retry"' in ana_looks.get(f"{PRODUCTION}replicas/").content.decode()
    assert 'form="retry"' not in ben_looks.get(f"{PRODUCTION}replicas/").content.decode()
    assert ben_looks.post(f"{PRODUCTION}replicas/retry/", {"replica": "rasa-1"}).status_code == 403
    assert ana_looks.post(f"{PRODUCTION}replicas/retry/", {"replica": "rasa-1"}).status_code == 302
    assert 'form="retry"' not in ana_looks.get(f"{PRODUCTION}replicas/").content.decode()


def test_a_replica_that_is_not_there_cannot_be_retried(ana_looks, cy_looks, production):
    assert ana_looks.post(f"{PRODUCTION}replicas/retry/", {"replica": "nobody"}).status_code == 404
    assert cy_looks.post(f"{PRODUCTION}replicas/retry/", {"replica": "nobody"}).status_code == 404


def test_the_service_token_is_shown_to_who_manages_environments_alone(ana_looks, ben_looks, production):
    token = service_token(production)
    assert token in ana_looks.get(f"{PRODUCTION}connect/").content.decode()
    html = ben_looks.get(f"{PRODUCTION}connect/").content.decode()
    assert token not in html
    assert "Bearer ${CONTROLPLANE_TOKEN_PRODUCTION}" in html


def test_no_page_shows_the_rasa_token(ana_looks, production):
    production.rasa_token = "never-to-be-shown"
    production.save()
    for tab in ("", "replicas/", "connect/", "settings/"):
        assert b"never-to-be-shown" not in ana_looks.get(PRODUCTION + tab).content


@pytest.mark.parametrize(("interval", "pulls_once"), [(None, True), (None, False), (5, False), (2.5, False)])
def test_endpoints_yml_is_yaml_whose_variables_are_not_quoted(production, interval, pulls_once):
    production.pull_interval, production.pulls_once = interval, pulls_once
    text = connect.snippets(production, "http://cp:5002", show_token=False).endpoints
    assert YAML(typ="safe").load(text) == {
        "models": {
            "url": "http://cp:5002/api/projects/default/models/tags/production",
            "headers": {"Authorization": "Bearer ${CONTROLPLANE_TOKEN_PRODUCTION}"},
            "params": {"environment": "production", "replica": "${HOSTNAME}"},
            "wait_time_between_pulls": None if pulls_once else interval or 10,
        }
    }
    assert not re.search(r"""["']|\{(?!CONTROLPLANE_TOKEN_PRODUCTION|HOSTNAME)""", text)


def test_a_follower_connects_to_the_tag_it_follows(production, project):
    follower = EnvironmentFactory(project=project, name="pre-prod", kind="training", follows=production)
    made = connect.snippets(follower, "http://cp:5002", show_token=False)
    assert made.variable == "CONTROLPLANE_TOKEN_PRE_PROD"
    assert "models/tags/production" in made.endpoints


@pytest.fixture
def declared(settings, tmp_path):
    path = tmp_path / "environments.yml"
    path.write_text('rasa:\n  production: {url: "http://rasa-production:5005", token: "${RASA_TOKEN}"}\n')
    settings.CONTROLPLANE_ENVIRONMENTS, settings.VARIABLES = path, {"RASA_TOKEN": "s3cret-of-all"}
    return path


def test_settings_show_who_manages_environments_how_its_servers_are_deployed(
    ana_looks, ben_looks, production, declared
):
    html = ana_looks.get(f"{PRODUCTION}settings/").content.decode()
    out = StringIO()
    call_command("compose", f"--folder={declared.parent}", stdout=out)
    [shown] = re.findall(
        r"<pre[^>]*>(  # environments.yml: rasa.production\n  rasa-production:.*?)</pre>", html, re.DOTALL
    )
    assert unescape(shown) in out.getvalue()
    assert "models/tags/production" in html
    assert "s3cret-of-all" not in html
    assert "rasa-production:\n" not in ben_looks.get(f"{PRODUCTION}settings/").content.decode()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rasa: {production: {url: 'http://web:5005', token: x}}", "has the host web, a service of docker-compose.yml"),
        ("rasa: {production: {url: 'https://bot.example.com', token: x}}", "its address is not one of http"),
        ("rasa: {production: {url: 'http://rasa:5005'}}", "Write `token: ${RASA_TOKEN}`"),
        ("rasa: {}", "is not declared in environments.yml any more"),
        ("rasa: [", "environments.yml has errors"),
    ],
)
def test_settings_say_why_nothing_is_generated(ana_looks, production, declared, text, told):
    declared.write_text(text)
    assert told in unescape(ana_looks.get(f"{PRODUCTION}settings/").content.decode())


def test_settings_say_where_to_change_them(ana_looks, production):
    html = ana_looks.get(f"{PRODUCTION}settings/").content.decode()
    assert "environments.yml" in html
    assert "http://rasa-production:5005" in html


def test_what_changed_comes_back_alone(ana_looks, promoted, production, heron, by_ana):
    html = ana_looks.get(PRODUCTION).content.decode()
    seen = " ".join(re.findall(r'data-digest="([^"]+)"', html))
    assert ana_looks.get(f"{PRODUCTION}changes/", {"tab": "history", "seen": seen}).status_code == 204
    promotions.promote(environment=production, model=heron, by=by_ana)
    changed = ana_looks.get(f"{PRODUCTION}changes/", {"tab": "history", "seen": seen}).content
    assert b'id="history"' in changed
    assert b'id="environment-head"' in changed


def test_the_line_to_start_one_has_the_declared_port_and_a_name_that_no_server_has(ana_looks, production):
    production.url = "http://localhost:5007"
    production.save()
    page, now = f"/p/default/environments/{production.name}/connect/", timezone.now()
    assert "HOSTNAME=rasa-production-1 rasa run --enable-api --port 5007" in ana_looks.get(page).content.decode()
    Replica.objects.create(environment=production, name="rasa-production-1", first_seen_at=now, last_poll_at=now)
    assert "HOSTNAME=rasa-production-2 rasa run" in ana_looks.get(page).content.decode()


def test_connect_tells_which_server_asks_and_which_is_turned_away(ana_looks, client, production):
    page = f"{PRODUCTION}connect/"
    assert "Not seen yet" in ana_looks.get(page).content.decode()
    query = {"replica": "<b>rasa-7</b>", "token": "cps_1_guessed"}
    client.get("/api/projects/default/models/tags/production", query, headers={"If-None-Match": "new"})
    poll(client, production, "rasa-1", status=404)
    html = ana_looks.get(page).content.decode()
    assert "Not seen yet" not in html
    text = " ".join(unescape(strip_tags(html)).split())
    assert "rasa-1 Empty asked just now" in text
    assert "<code>&lt;b&gt;rasa-7&lt;/b&gt;</code>" in html
    assert "was turned away just now: its token does not open production." in text
    assert "cps_1_guessed" not in html
