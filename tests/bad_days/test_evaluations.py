"""Evaluations whose worker, Rasa server or submitter's patience ends in the middle: taken up again, or ended with the
reason, and never twice to effect."""

import time

import pytest

from tests import live
from tests.archives import rasa_archive
from tests.fake_rasa import FakeRasa
from tests.projects import MORE_NLU, TEST_NLU, tree, zipped

PARTS = ("web", "evaluation", "default", "beat")
DECLARATION = """
rasa:
  production:
    url: http://127.0.0.1:9
  worker:
    url: {url}
    token: sesame
"""
TAKEN_UP_WITHIN = 60


@pytest.fixture(scope="module")
def rasa():
    with FakeRasa(token="sesame") as fake:
        yield fake


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory, rasa):
    made = live.ControlPlane(tmp_path_factory.mktemp("home"), DECLARATION.format(url=rasa.url), parts=PARTS)
    bundle = {"bundle": ("b.zip", zipped(tree(data__nlu=MORE_NLU, tests__nlu=TEST_NLU)), "application/zip")}
    assert made.http.post("/api/v1/bundles/", files=bundle).status_code == 201
    model = {"model": ("brisk-otter.tar.gz", rasa_archive("brisk-otter"), "application/gzip")}
    assert made.http.post("/api/projects/default/models", files=model).status_code == 201
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def quick_again(rasa):
    yield
    rasa.test_seconds = 0.0


def submit(control_plane):
    response = control_plane.http.post("/api/v1/evaluations/", json={"model": "brisk-otter"})
    assert response.status_code == 201, response.text
    return response.json()


def asked_for(rasa, made):
    marked = f"evaluation={made['id']}"
    return [query for _, path, query, _ in rasa.requests if path == "/model/test/intents" and marked in query["model"]]


def ended(control_plane, made, seconds=TAKEN_UP_WITHIN):
    params = {"wait": seconds}
    return control_plane.http.get(f"/api/v1/evaluations/{made['id']}/", params=params).json()


def test_one_whose_worker_is_killed_is_taken_up_again(control_plane, rasa):
    rasa.test_seconds = 600
    made = submit(control_plane)
    live.wait_until(lambda: asked_for(rasa, made), 20, "the first test")
    control_plane.kill("evaluation")
    rasa.test_seconds = 0.0
    control_plane.start("evaluation")
    found = ended(control_plane, made)
    assert (found["status"], found["error_detail"]) == ("succeeded", "")
    assert found["intents"]["f1"] == 1.0
    assert len(asked_for(rasa, made)) == 2


def test_one_that_is_cancelled_ends_at_once_and_has_no_result(control_plane, rasa):
    rasa.test_seconds = 20
    made = submit(control_plane)
    live.wait_until(lambda: asked_for(rasa, made), 20, "the test")
    begun = time.monotonic()
    assert control_plane.http.post(f"/api/v1/jobs/{made['job']}/cancel/").status_code == 202
    found = ended(control_plane, made, 15)
    assert (found["status"], found["intents"], found["test_hash"]) == ("cancelled", None, "")
    assert time.monotonic() - begun < 15


def test_one_whose_server_breaks_off_errors_with_the_reason(control_plane, rasa):
    rasa.test_override = (500, {}, b"<h1>oops</h1>")
    try:
        found = ended(control_plane, submit(control_plane))
    finally:
        rasa.test_override = None
    assert (found["status"], found["error_code"]) == ("errored", "evaluation-unavailable")


def test_the_same_message_twice_tests_once(control_plane, rasa):
    rasa.test_seconds = 1
    made = submit(control_plane)
    send = "from environments.actions import queue\nfrom environments.models import Job\n"
    control_plane.run(f"{send}queue.send(Job.objects.get(pk={made['job']}))")
    assert ended(control_plane, made)["status"] == "succeeded"
    time.sleep(1)
    assert len(asked_for(rasa, made)) == 1
