"""docs/engine.md lists every call that is made to an engine, and proxies that let through those and no others."""

import re

import pytest

from environments.clients.docker.engine import Engine
from environments.errors import TrainingUnavailable
from tests.live import ROOT
from tests.told import Told
from tests.workers.runtimes.containers import of_containers, rasa_in_a_container
from tests.workers.runtimes.test_contract import project

PAGE = (ROOT / "docs" / "engine.md").read_text()
LISTED = set(re.findall(r"^\| `((?:GET|PUT|POST|DELETE) /\S*)` \|", PAGE, re.MULTILINE))
LOOKS, TRAINS = (
    {method: re.compile(pattern) for method, pattern in re.findall(r"-allow(GET|POST|PUT|DELETE)=(\S+)", block)}
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
)
DANGEROUS = [
    "POST /containers/{id}/exec",
    "POST /exec/{id}/start",
    "POST /containers/{id}/kill",
    "POST /containers/{id}/update",
    "GET /containers/{id}/export",
    "GET /images/json",
    "POST /images/create",
    "POST /build",
    "GET /secrets",
    "POST /volumes/create",
    "DELETE /volumes/{id}",
    "POST /containers/prune",
]


def look(engine):
    made = engine.run("rasa-production-1", {"x": "1"})
    client = Engine(engine.url)
    client.containers(["x"])
    client.tail(made.id, 10)
    client.restart(made.id)


def train(engine, tmp_path):
    engine.behaviour = rasa_in_a_container
    runtime = of_containers(engine, tmp_path)
    with runtime.train(project(), "", Told()):
        pass
    runtime.runs.labelled(["controlplane.job"])
    engine.images.clear()
    with pytest.raises(TrainingUnavailable), runtime.train(project(), "", Told()):
        pass


def made(engine):
    """As the page writes them."""
    return {re.sub(r"/containers/(?!json|create)[^/]+", "/containers/{id}", call) for call in engine.calls}


def passes(rules, call):
    method, _, path = call.partition(" ")
    asked = path if path == "/version" else f"/v1.41{path}"
    return method in rules and bool(rules[method].fullmatch(asked.replace("{id}", "a" * 64)))


def test_each_call_is_listed_and_each_that_is_listed_is_made(fake_docker, tmp_path):
    look(fake_docker)
    looked = made(fake_docker)
    fake_docker.calls.clear()
    train(fake_docker, tmp_path)
    trained = made(fake_docker)
    assert looked | trained == LISTED
    assert all(passes(LOOKS, call) for call in looked)
    assert all(passes(TRAINS, call) for call in trained)


def test_the_proxies_let_nothing_else_through():
    assert len(LISTED) == 11
    assert not [call for call in DANGEROUS if passes(LOOKS, call) or passes(TRAINS, call)]
    assert not passes(LOOKS, "POST /containers/create")
    assert not passes(LOOKS, "GET /containers/{id}/archive")
    assert not passes(LOOKS, "DELETE /containers/{id}")
    assert not passes(TRAINS, "POST /containers/{id}/restart")
