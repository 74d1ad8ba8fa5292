"""Promote and roll back: the wait ends when every replica serves the model, and the exit status says how it ended."""

import time

import pytest

from tests import live
from tests.cpctl.conftest import ended, interrupt


@pytest.fixture
def otter(cpctl, archive, request):
    """The name of a model of this test alone."""
    return push(cpctl, archive, f"otter-{abs(hash(request.node.name)) % 10**8}")


def push(cpctl, archive, name):
    assert cpctl("models", "push", archive(name)).status == 0
    return name


def served(cpctl, environment):
    return cpctl("status", environment, "--json").json["model"]["name"]


def test_waiting_ends_when_every_replica_serves_the_model(cpctl, serving, otter):
    with serving("experimental", "rasa-1") as [replica]:
        done = cpctl("promote", otter, "experimental", "--reason", "try it", "--wait")
        assert (done.status, done.out) == (0, f"experimental: {otter}\n"), done.err
        proved = [answer for answer in replica.answers if answer.status == 304]
        assert proved, "it ended before the replica proved the model"
        assert "of 1 replicas serve it" in done.err
        assert "succeeded" in done.err
        again = cpctl("promote", otter, "experimental", "--wait", "--json")
        assert (again.status, again.json["status"]) == (0, "succeeded")
        assert "has" in again.err
        assert "already" in again.err


def test_without_servers_the_time_is_over_and_the_promotion_goes_on(cpctl, otter):
    done = cpctl("promote", otter, "production", "--wait", "--timeout", "1", "--json")
    assert done.status == 4
    assert done.json["type"] == "cpctl:unfinished"
    assert "cpctl rollback production" in done.err
    assert served(cpctl, "production") == otter


def test_one_that_is_there_already_is_waited_for_too(cpctl, otter):
    """What was proved once says nothing of servers that are silent now."""
    cpctl("promote", otter, "production")
    done = cpctl("promote", otter, "production", "--wait", "--timeout", "1")
    assert done.status == 4


def test_ctrl_c_says_that_it_goes_on_and_how(cpctl, otter):
    with cpctl.running("promote", otter, "production", "--wait") as process:
        live.wait_until(lambda: any("replicas" in line for line in process.said), 30, "progress")
        interrupt(process)
        done = ended(process)
    assert done.status == 130
    assert "goes on" in done.err
    assert "cpctl status production" in done.err
    assert "Traceback" not in done.err
    assert served(cpctl, "production") == otter


def test_a_model_that_no_server_loads_did_not_succeed(cpctl, serving, otter):
    with serving("experimental", "rasa-1", loads=lambda sha256: False):
        done = cpctl("promote", otter, "experimental", "--wait", "--json")
    assert (done.status, done.json["status"]) == (3, "failed")
    assert "rasa-1" in done.err


def test_one_that_another_promotion_overtakes_did_not_succeed(cpctl, archive, otter):
    with cpctl.running("promote", otter, "production", "--wait") as process:
        live.wait_until(lambda: any("replicas" in line for line in process.said), 30, "progress")
        assert cpctl("promote", push(cpctl, archive, f"{otter}-b"), "production").status == 0
        done = ended(process)
    assert done.status == 3
    assert "superseded" in done.err


def test_what_somebody_else_promoted_meanwhile_is_refused(cpctl, otter):
    cpctl("promote", otter, "production")
    refused = cpctl("promote", "-", "production", "--expected", "-", "--json")
    assert (refused.status, refused.json["type"], refused.json["current"]) == (1, "/problems/stale-promotion", otter)


def test_a_dry_run_tells_what_differs_and_changes_nothing(cpctl, archive, otter):
    cpctl("promote", otter, "production")
    other = archive(f"{otter}-more", intents=("greet", "goodbye", "order"))
    cpctl("models", "push", other)
    done = cpctl("promote", f"{otter}-more", "production", "--dry-run")
    assert done.status == 0
    assert f"would: production: {otter} → {otter}-more" in done.out
    assert "+order" in done.out
    assert served(cpctl, "production") == otter
    refused = cpctl("promote", "-", "production", "--dry-run", "--expected", "nobody", "--json")
    assert refused.status == 1


def test_a_rollback_brings_back_the_one_before_and_one_by_its_promotion(cpctl, archive, serving, otter):
    other = push(cpctl, archive, f"{otter}-b")
    with serving("experimental", "rasa-1"):
        first = cpctl("promote", otter, "experimental", "--wait", "--json").json
        assert cpctl("promote", other, "experimental", "--wait").status == 0
        done = cpctl("rollback", "experimental", "--reason", "worse", "--wait")
        assert (done.status, done.out) == (0, f"experimental: {otter}\n"), done.err
        assert cpctl("promote", other, "experimental", "--wait").status == 0
        named = cpctl("rollback", "experimental", "--to", first["id"], "--wait", "--json")
        assert (named.status, named.json["model"], named.json["origin"]) == (0, otter, "rollback")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("promote", "nobody", "production"), "There is no model nobody."),
        (("promote", "-", "nowhere"), "There is no environment nowhere."),
        (("promote", "-", "worker"), "production"),
        (("rollback", "production", "--to", "999999"), "There is no promotion 999999."),
        (("status", "../../../etc"), "There is no"),
        (("status", "--project", "nobody"), "There is no project nobody."),
    ],
)
def test_a_refusal_is_one_line_and_status_1(cpctl, arguments, sentence):
    done = cpctl(*arguments)
    assert (done.status, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert sentence in done.err


def test_a_restart_of_the_control_plane_does_not_end_the_wait(cpctl, control_plane, serving, otter):
    with cpctl.running("promote", otter, "experimental", "--wait") as process:
        live.wait_until(lambda: any("replicas" in line for line in process.said), 30, "progress")
        control_plane.kill("web")
        live.wait_until(lambda: any("does not answer" in line for line in process.said), 30, "a word of the outage")
        time.sleep(1)
        control_plane.start("web")
        with serving("experimental", "rasa-1"):
            done = ended(process)
    assert (done.status, done.out) == (0, f"experimental: {otter}\n"), done.err
    assert "answers again" in done.err


def test_status_shows_each_environment_and_one_with_its_replicas(cpctl, serving, otter):
    with serving("experimental", "rasa-1"):
        cpctl("promote", otter, "experimental", "--wait")
        told = cpctl("status")
        assert [line.split()[0] for line in told.out.splitlines()[:4]] == [
            "ENVIRONMENT",
            "production",
            "experimental",
            "worker",
        ]
        one = cpctl("status", "experimental")
        assert "rasa-1" in one.out
        assert one.out.count(otter) == 2
        document = cpctl("status", "experimental", "--json").json
    assert document["sync"] == "in_sync"
    assert document["servers"][0]["name"] == "rasa-1"
