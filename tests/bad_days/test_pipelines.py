"""Processes are killed and messages lost in the middle of a pipeline's run: it goes on by itself, and nothing is done
twice."""

import time

import pytest

from tests import live
from tests.fake_rasa import FakeRasa
from tests.projects import TEST_NLU, tree, zipped

PARTS = ("web", "training", "evaluation", "default", "beat")
ENVIRONMENTS = """
rasa:
  production: {{url: http://127.0.0.1:9}}
  worker: {{url: {url}}}
"""
# A lost job is taken back within a lease and its message sent anew; the machine may be busy.
WITHIN = 120.0


@pytest.fixture
def rasa():
    with FakeRasa(always_new=True) as fake:
        yield fake


@pytest.fixture
def site(start_control_plane, rasa):
    """A control plane with a bundle and a pipeline to production."""
    control_plane = start_control_plane(PARTS)
    control_plane.declare(ENVIRONMENTS.format(url=rasa.url))
    files = {"bundle": ("bundle.zip", zipped(tree(tests__nlu=TEST_NLU)), "application/zip")}
    assert control_plane.http.post("/api/v1/bundles/", files=files).status_code == 201
    body = {"name": "nightly", "promote": "production", "gates": {"minimum_f1": 0.5, "better_than_serving": True}}
    made = control_plane.http.post("/api/v1/pipelines/", json=body)
    assert made.status_code == 201, made.text
    return control_plane


def start(site):
    return site.http.post("/api/v1/pipelines/nightly/runs/").json()["id"]


def read(site, run):
    return site.http.get(f"/api/v1/pipeline-runs/{run}/").json()


def status_of(site, run, kind):
    return next((step["status"] for step in read(site, run)["steps"] if step["kind"] == kind), None)


def ended(site, run):
    deadline = time.monotonic() + WITHIN
    while (found := read(site, run))["status"] in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(0.3)
    return found


def wait_for_training(rasa):
    live.wait_until(lambda: any(path == "/model/train" for _, path, _, _ in rasa.requests), 30, "a training")


def kill_and_start(site, *parts):
    for part in parts:
        site.kill(part)
    for part in parts:
        site.start(part)


def check_done_once(site, run):
    """It succeeded, and no training and no promotion is there twice."""
    found = ended(site, run)
    assert (found["status"], found["error_detail"]) == ("succeeded", ""), found
    promotions = site.http.get("/api/v1/environments/production/promotions/").json()["results"]
    assert [promotion["id"] for promotion in promotions] == [found["promotion"]]
    jobs = site.http.get("/api/v1/jobs/").json()["results"]
    assert sorted(job["kind"] for job in jobs) == ["evaluation", "training"]


def test_every_worker_is_killed_while_it_trains(site, rasa):
    rasa.train_seconds = 3.0
    run = start(site)
    wait_for_training(rasa)
    kill_and_start(site, "training", "evaluation", "default", "beat")
    check_done_once(site, run)


def test_nobody_is_there_to_hear_that_its_job_ended(site, rasa):
    """The worker that moves runs on is away, and the message to it is lost as well."""
    rasa.train_seconds = 2.0
    run = start(site)
    wait_for_training(rasa)
    for part in ("default", "beat"):
        site.kill(part)
    jobs = "/api/v1/jobs/?kind=training&status=succeeded"
    live.wait_until(lambda: site.http.get(jobs).json()["results"], 30, "the end of the training")
    for message in (site.home / "broker" / "messages").rglob("*.msg"):
        message.unlink()
    assert status_of(site, run, "train") == "running"
    for part in ("default", "beat"):
        site.start(part)
    check_done_once(site, run)
