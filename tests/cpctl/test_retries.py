"""A control plane that is busy, restarts or is away: tried again where that is safe, told in one line elsewhere."""

import time

import pytest

from tests import live
from tests.cpctl.conftest import ended
from tests.cpctl.scripted import answer, problem

EMPTY = answer(200, {"results": [], "next": None})
PROMOTION = {
    "id": "7",
    "environment": "production",
    "model": "otter",
    "previous_model": None,
    "status": "rolling_out",
    "note": "",
    "replicas": 0,
    "seconds": None,
    "error_detail": "",
}
ENVIRONMENT = {
    "name": "production",
    "model": {"name": "otter"},
    "sync": "rolling_out",
    "replicas": dict.fromkeys(("expected", "loading", "stuck", "silent", "empty", "foreign"), 0),
}


@pytest.fixture
def script(cpctl, scripted):
    cpctl.environ["CPCTL_URL"] = scripted.url
    return scripted


@pytest.mark.parametrize("status", [429, 503])
def test_it_comes_again_when_it_is_told(cpctl, script, status):
    script.answers = [problem(status, "busy", "Too many.", **{"Retry-After": "1"}), EMPTY]
    began = time.monotonic()
    done = cpctl("models", "list")
    assert done.status == 0
    assert time.monotonic() - began > 1
    assert "Too many." in done.err
    assert len(script.requests) == 2


def test_a_wait_that_is_too_long_is_told_at_once(cpctl, script):
    script.answers = [problem(429, "sign-in-locked", "Try again in 15 min.", **{"Retry-After": "900"})]
    done = cpctl("login", script.url, "--username", "ana", typed="secret\n")
    assert done.status == 1
    assert "Try again in 15 min." in done.err


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_reading_is_repeated_when_a_proxy_has_nobody_to_ask(cpctl, script, status):
    script.answers = [(status, {"Content-Type": "text/html"}, b"<html>"), EMPTY]
    assert cpctl("models", "list").status == 0


def test_a_lost_answer_is_asked_for_again_where_that_is_safe(cpctl, script):
    script.answers = [lambda handler: handler.hang_up(), EMPTY]
    assert cpctl("models", "list").status == 0
    script.answers = [lambda handler: handler.hang_up(), answer(200, PROMOTION | {"status": "succeeded"})]
    assert cpctl("promote", "otter", "production").status == 0


@pytest.mark.parametrize("command", [("train", "--bundle", "1"), ("rollback", "production")])
def test_a_lost_answer_is_told_where_asking_twice_would_do_it_twice(cpctl, script, command):
    script.answers = [lambda handler: handler.hang_up()]
    done = cpctl(*command)
    assert done.status == 5
    assert "look before you repeat it" in done.err
    assert len(script.requests) == 1


def test_nobody_there_is_unreachable(cpctl):
    cpctl.environ["CPCTL_URL"] = f"http://127.0.0.1:{live.free_port()}"
    began = time.monotonic()
    done = cpctl("status", "--json")
    assert (done.status, done.json["type"]) == (5, "cpctl:unreachable")
    assert 5 < time.monotonic() - began < 30
    assert "Traceback" not in done.err


def test_another_server_is_told_from_a_control_plane(cpctl, script):
    script.answers = [(404, {"Content-Type": "text/html"}, b"<html>")]
    done = cpctl("status")
    assert done.status == 1
    assert "Check the URL" in done.err


def test_a_page_in_place_of_a_document_is_told(cpctl, script):
    script.answers = [(200, {"Content-Type": "text/html"}, b"<html>")]
    done = cpctl("status")
    assert done.status == 1
    assert "Check the URL" in done.err


def test_text_of_the_server_cannot_steer_the_terminal(cpctl, script):
    script.answers = [problem(404, "not-found", "There is no \x1b]0;owned\x07thing.")]
    assert "\x1b" not in cpctl("status").err


def test_a_restart_in_the_middle_of_a_wait_is_waited_for(cpctl, script):
    away = (502, {"Content-Type": "text/html"}, b"<html>")
    script.answers = [
        answer(201, PROMOTION),
        answer(200, PROMOTION),
        answer(200, ENVIRONMENT),
        away,
        lambda handler: handler.hang_up(),
        problem(503, "database-away", "The database is away.", **{"Retry-After": "0"}),
        answer(200, PROMOTION | {"status": "succeeded", "seconds": 3.5}),
        answer(200, ENVIRONMENT | {"sync": "in_sync"}),
    ]
    done = cpctl("promote", "otter", "production", "--wait")
    assert (done.status, done.out) == (0, "production: otter\n"), done.err
    assert "answers again" in done.err


def test_sigterm_ends_it_with_a_word_and_no_trace(cpctl, script):
    script.answers = [answer(201, PROMOTION), answer(200, PROMOTION), answer(200, ENVIRONMENT)]
    with cpctl.running("promote", "otter", "production", "--wait") as process:
        live.wait_until(lambda: any("replicas" in line for line in process.said), 30, "progress")
        process.terminate()
        done = ended(process)
    assert done.status == 143
    assert "promotion 7 goes on" in done.err
    assert "Traceback" not in done.err
