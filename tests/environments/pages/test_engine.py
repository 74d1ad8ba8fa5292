"""The Engine tab: what runs, what it prints, and a restart, where this installation asks an engine."""

import re

import pytest

from environments import drift
from environments.engine import looking
from tests.deploying import STACK

PAGE = "/p/default/environments/production/"
LABELS = {drift.PROJECT: "default", drift.ENVIRONMENT: "production", drift.SERVICE: "rasa-production"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def engine(settings, fake_docker):
    settings.CONTROLPLANE_DOCKER_URL = fake_docker.url
    return fake_docker


def seen(client, page=f"{PAGE}engine/"):
    """The page, once the engine was looked at."""
    looking.watcher().look()
    return client.get(page).content.decode()


def test_without_an_engine_the_tab_is_hidden(ana_looks, production, settings):
    settings.CONTROLPLANE_DOCKER_URL = ""
    assert "Engine" not in ana_looks.get(PAGE).content.decode()
    assert ana_looks.get(f"{PAGE}engine/").status_code == 404


def test_it_tells_state_image_restarts_and_memory(ana_looks, production, engine):
    engine.run("rasa-production-1", LABELS, restarts=2, health="healthy")
    html = seen(ana_looks)
    assert 'aria-current="page">Engine' in html
    for told in ("rasa-production-1", "Running", "healthy", "tiny:1", "no poll", "50.0\xa0MB"):
        assert told in html
    assert re.search(r'data-label="restarts"[^>]*>2<', html)


def test_one_that_ended_says_how(ana_looks, production, engine):
    engine.run("rasa-production-1", LABELS).end(3)
    assert "It ended with the exit code 3" in seen(ana_looks)
    engine.run("rasa-production-2", LABELS, out_of_memory=True).end(137)
    looking.watcher().forget()
    assert "It ended for want of memory" in seen(ana_looks)


def test_the_first_look_is_not_waited_for_and_the_page_asks_again(ana_looks, production, engine):
    engine.seconds = 2
    html = ana_looks.get(f"{PAGE}engine/").content.decode()
    assert "The container engine is being asked" in html
    engine.seconds = 0
    looking.watcher().look()
    answer = ana_looks.get(f"{PAGE}changes/?tab=engine")
    assert "The engine runs no container of production" in answer.content.decode()


def test_an_engine_that_is_away_is_told_and_the_page_stays(ana_looks, production, engine):
    engine.override = (503, b"")
    html = seen(ana_looks)
    assert "The container engine cannot be asked" in html
    assert "the engine behind it does not" in html


def test_names_from_the_engine_are_escaped(ana_looks, production, engine):
    engine.run("<script>alert(1)</script>", LABELS)
    assert "<script>alert(1)" not in seen(ana_looks)


def test_the_log_is_escaped_and_for_those_who_may_promote(ana_looks, ben_looks, production, engine):
    engine.run("rasa-production-1", LABELS, printed=b"<b>hello</b>\npassword=opensesame\n")
    html = seen(ana_looks, f"{PAGE}engine/log/?container=rasa-production-1")
    assert "&lt;b&gt;hello&lt;/b&gt;" in html
    assert "opensesame" not in html
    assert ben_looks.get(f"{PAGE}engine/log/?container=rasa-production-1").status_code == 403
    assert 'title="This needs the grant environments.production.write' in seen(ben_looks)


def test_a_restart_is_asked_first_and_then_done(ana_looks, production, engine):
    made = engine.run("rasa-production-1", LABELS)
    html = seen(ana_looks, f"{PAGE}engine/restart/?container=rasa-production-1")
    assert "It is the only replica of production" in html
    assert "/api/v1/environments/production/containers/rasa-production-1/restart/" in html
    answer = ana_looks.post(f"{PAGE}engine/restart/", {"container": "rasa-production-1"}, follow=True)
    assert "rasa-production-1 was restarted" in answer.content.decode()
    assert engine.calls.count(f"POST /containers/{made.id}/restart") == 1


def test_a_restart_that_is_refused_says_why_on_its_button(ana_looks, production, engine):
    production.replicas = 2
    production.save()
    engine.run("rasa-production-1", LABELS)
    reason = "1 of the 2 replicas of production cannot be seen to serve."
    assert f'title="{reason}"' in seen(ana_looks)
    assert reason in seen(ana_looks, f"{PAGE}engine/restart/?container=rasa-production-1")
    assert ana_looks.post(f"{PAGE}engine/restart/", {"container": "rasa-production-1"}).status_code == 409


@pytest.fixture
def declared(settings, tmp_path):
    """production and experimental as services of the stack."""
    (tmp_path / "docker-compose.yml").write_text(STACK)
    (tmp_path / "environments.yml").write_text(
        'rasa:\n  production: {url: "http://rasa-production:5005", token: x}\n'
        '  experimental: {url: "http://rasa-experimental:5005", token: x}\n'
    )
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"


def test_what_an_upgrade_dropped_is_told_with_the_command_that_cures_it(
    ana_looks, production, experimental, engine, declared
):
    engine.run("rasa-production-1", LABELS)
    html = seen(ana_looks, "/p/default/environments/experimental/")
    assert "No container of experimental is on the engine: an upgrade dropped it" in html
    assert "<code>manage.py compose --write &amp;&amp; docker compose up -d rasa-experimental</code>" in html
    assert "No container of experimental" not in seen(ana_looks, PAGE)
    assert "No container of experimental" in seen(ana_looks, "/p/default/")


def test_a_declaration_that_cannot_be_read_is_no_drift(ana_looks, production, engine, declared, settings):
    settings.CONTROLPLANE_ENVIRONMENTS.write_text("rasa: [")
    html = seen(ana_looks, PAGE)
    assert "on the engine" not in html
