"""Run a pipeline from a shell: its steps and verdicts are told, and what it promoted serves at the end."""

import threading

import pytest

from tests import live
from tests.cpctl.conftest import ended, interrupt


@pytest.fixture
def declare(control_plane):
    """Declares a pipeline; returns its name."""

    def declare(name, **members):
        response = control_plane.http.post("/api/v1/pipelines/", json={"name": name, **members})
        assert response.status_code == 201, response.text
        return name

    return declare


@pytest.fixture
def sent(cpctl, project_folder):
    """The newest bundle."""
    assert cpctl("train", project_folder, "--wait").status == 0


def test_it_trains_judges_promotes_and_waits_until_that_serves(cpctl, declare, sent, serving):
    name = declare("nightly", promote="experimental", gates={"minimum_f1": 0.5})
    with serving("experimental", "rasa-1"):
        done = cpctl("pipelines", "run", name, "--wait")
    assert done.status == 0, done.err
    assert "gate minimum_f1" in done.err
    assert "passed" in done.err
    assert cpctl("status", "experimental", "--json").json["model"]["name"] == done.out.strip()
    assert name in cpctl("pipelines", "list").out


def test_a_gate_that_fails_is_told_with_its_numbers_and_did_not_succeed(cpctl, declare, sent, worker_rasa):
    worker_rasa.predict = lambda url, text, intent: "bye"
    name = declare("strict", promote="experimental", gates={"minimum_f1": 0.99})
    try:
        done = cpctl("pipelines", "run", name, "--wait", "--json")
    finally:
        worker_rasa.predict = lambda url, text, intent: intent
    assert (done.status, done.json["status"]) == (3, "failed"), done.err
    assert "gate minimum_f1" in done.err
    assert "0.99" in done.err


def test_ctrl_c_leaves_the_run_and_it_can_be_followed_and_ended(cpctl, declare, sent, worker_rasa):
    name = declare("slow", promote=None)
    worker_rasa.held = threading.Event()
    try:
        with cpctl.running("pipelines", "run", name, "--wait") as process:
            live.wait_until(lambda: any("running" in line for line in process.said), 60, "a step")
            interrupt(process)
            done = ended(process)
        assert done.status == 130
        number = done.err.partition("cpctl pipelines wait ")[2].split(".")[0]
        assert cpctl("pipelines", "cancel", number).status == 0
        waited = cpctl("pipelines", "wait", number, "--json")
        assert (waited.status, waited.json["status"]) == (3, "cancelled")
    finally:
        worker_rasa.held.set()
        worker_rasa.held = None


def test_a_pipeline_that_is_not_there_is_refused(cpctl):
    assert cpctl("pipelines", "run", "nobody", "--wait").status == 1
