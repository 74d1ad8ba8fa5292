"""One environment's tabs: history, replicas, connect, settings."""

import re

import pytest
from ruamel.yaml import YAML

from environments.actions import promotions
from environments.decisions import TRIES
from environments.models import Proof, TrainedModel
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


@pytest.mark.parametrize("interval", [None, 10, 2.5])
def test_endpoints_yml_is_yaml_whose_variables_are_not_quoted(interval):
    text = connect.endpoints_yml(url="http://cp:5002/x", token="${TOKEN}", interval=interval)
    assert YAML(typ="safe").load(text) == {
        "models": {
            "url": "http://cp:5002/x",
            "headers": {"Authorization": "Bearer ${TOKEN}"},
            "params": {"replica": "${HOSTNAME}"},
            "wait_time_between_pulls": interval,
        }
    }
    assert not re.search(r"""["']|\{(?!TOKEN|HOSTNAME)""", text)


def test_the_compose_service_is_yaml(production, project):
    follower = EnvironmentFactory(project=project, name="worker", kind="training", follows=production)
    made = connect.snippets(follower, "http://cp:5002", show_token=False)
    service = YAML(typ="safe").load(made.compose)["services"]["rasa-worker-2"]
    assert service["environment"] == {
        "RASA_ENVIRONMENT": "worker",
        "CONTROLPLANE_TOKEN_WORKER": "${CONTROLPLANE_TOKEN_WORKER}",
    }
    assert "models/tags/production" in made.endpoints


def test_settings_say_where_to_change_them(ana_looks, production):
    html = ana_looks.get(f"{PRODUCTION}settings/").content.decode()
    assert "environments.yml" in html
    assert "http://rasa-production:5005" in html


def test_what_changed_comes_back_alone(ana_looks, promoted, production, heron, by_ana):
    html = ana_looks.get(PRODUCTION).content.decode()
    seen = " ".join(f"{found[0]}:{found[1]}" for found in re.findall(r'id="([^"]+)" data-digest="([^"]+)"', html))
    assert ana_looks.get(f"{PRODUCTION}changes/", {"tab": "history", "seen": seen}).status_code == 204
    promotions.promote(environment=production, model=heron, by=by_ana)
    changed = ana_looks.get(f"{PRODUCTION}changes/", {"tab": "history", "seen": seen}).content
    assert b'id="history"' in changed
    assert b'id="environment-head"' in changed
