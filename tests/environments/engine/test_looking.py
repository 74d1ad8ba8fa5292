"""What the engine runs, as it was last seen: optional, remembered for a moment, never waited for twice."""

import threading
import time

import pytest

from environments import drift
from environments.clients.docker.engine import Engine
from environments.engine import looking
from tests.environments.engine.conftest import LABELS
from tests.live import wait_until

LOOK = "GET /containers/json"


def looks(engine):
    return engine.calls.count(LOOK)


def test_without_an_engine_there_is_none_and_nothing_is_asked(settings, fake_docker):
    settings.CONTROLPLANE_DOCKER_URL = ""
    assert looking.watcher() is None
    assert fake_docker.calls == []


@pytest.mark.django_db
def test_an_environments_containers_are_those_with_its_labels(engine, production, experimental):
    engine.run("rasa-production-1", LABELS)
    engine.run("rasa-banking-1", {**LABELS, drift.PROJECT: "banking"})
    engine.run("postgres", {"other": "label"})
    look = looking.watcher().look()
    assert [one.name for one in look.containers] == ["rasa-banking-1", "rasa-production-1"]
    assert [one.name for one in look.of(production)] == ["rasa-production-1"]
    assert look.of(experimental) == []


def test_another_compose_project_on_the_engine_is_not_ours(engine, settings):
    engine.run("ours", {**LABELS, drift.COMPOSE_PROJECT: "stack"})
    engine.run("theirs", {**LABELS, drift.COMPOSE_PROJECT: "staging"})
    settings.COMPOSE_PROJECT_NAME = "stack"
    assert [one.name for one in looking.watcher().look().containers] == ["ours"]


def test_many_who_look_at_once_are_one_look(engine):
    engine.seconds = 0.05
    seen, watcher = [], looking.watcher()
    threads = [threading.Thread(target=lambda: seen.append(watcher.look())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, seen))) == 1
    assert looks(engine) == 1


def test_a_page_gets_what_is_known_at_once_however_slow_the_engine_is(engine):
    engine.seconds = 0.5
    begun = time.monotonic()
    assert looking.watcher().known() is None
    assert looking.watcher().known() is None
    assert time.monotonic() - begun < 0.4
    engine.seconds = 0
    wait_until(lambda: looking.watcher().known() is not None, 30, "the look")
    assert looks(engine) == 1


def test_an_engine_that_does_not_answer_is_told_and_left_alone_for_a_while(engine, caplog):
    engine.override = (503, b"")
    watcher = looking.watcher()
    assert "engine behind it does not" in watcher.look().error
    asked = len(engine.calls)
    assert watcher.look().error
    assert watcher.known().error
    assert len(engine.calls) == asked
    assert "could not be asked" in caplog.text


@pytest.mark.django_db
def test_the_end_of_a_log_has_no_secrets(engine, production):
    production.rasa_token, production.jwt_secret = "sesame-of-production", "opens-every-door"
    printed = b"GET /status?token=sesame-of-production\nJWT opens-every-door\nAuthorization: Bearer cps_1_" + b"x" * 43
    container = engine.run("rasa-production-1", LABELS, printed=printed + b"\n<script>\n")
    [seen] = looking.watcher().look().containers
    text = looking.tail(Engine(engine.url), seen, production).text
    assert text.endswith("<script>\n")
    assert "sesame" not in text
    assert "opens-every" not in text
    assert "xxxx" not in text
    engine.containers.pop(container.id)
    assert "No such container" in looking.tail(Engine(engine.url), seen, production).error
