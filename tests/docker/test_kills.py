"""`docker kill` of each container of the stack, while models are trained, promoted and talked to."""

import hashlib
import time
from contextlib import suppress
from functools import partial

import pytest

from demo import main_job
from tests import live
from tests.docker import composes
from tests.docker.stack import Stack, entry
from tests.docker.traffic import Traffic

pytestmark = [pytest.mark.docker, pytest.mark.compose, pytest.mark.rasa]

CONTROL_PLANE = ("web", "worker-training", "worker-evaluation", "worker-default", "beat", "proxy")
# Their stores, and Rasa servers.
OTHERS = ("postgres", "redis", "rasa-production", "rasa-worker")
DOWN_SECONDS = 3.0
ENDED = {"succeeded", "failed", "errored", "cancelled", "superseded", "unproven"}


@pytest.fixture
def stack(tmp_path, engine, stack_images):
    made = Stack(tmp_path, compose=composes.newest(), engine=engine, image=stack_images)
    yield made
    made.remove()


class Work:
    """What was acknowledged, and so may not be lost."""

    def __init__(self, client):
        self.client = client
        self.promotions, self.jobs = [], []
        files = {"bundle": ("assistant.zip", main_job.packed(main_job.ASSISTANT), "application/zip")}
        self.bundle = client.call("POST", "/api/v1/bundles/", files=files)["id"]
        self.models = [self.trained(self.train()) for _ in range(2)]

    def train(self):
        job = self.client.call("POST", "/api/v1/jobs/", json={"kind": "training", "bundle": self.bundle})
        self.jobs.append(job["id"])
        return job["id"]

    def trained(self, job):
        done = self.ended(f"/api/v1/jobs/{job}/")
        assert done["status"] == "succeeded", done
        return done["model"]

    def promote(self):
        """The other of the two models."""
        body = {"model": self.models[len(self.promotions) % 2], "reason": "under fire"}
        made = self.client.call("POST", "/api/v1/environments/production/promotions/", json=body)
        self.promotions.append(made["id"])

    def ended(self, path):
        """The row once it has ended."""
        deadline = time.monotonic() + 180
        while (row := self.client.call("GET", path, params={"wait": 20}))["status"] not in ENDED:
            assert time.monotonic() < deadline, row
        return row

    def kept(self):
        """All of it is there and came to its end; the archives are what they were."""
        promotions = [self.ended(f"/api/v1/promotions/{number}/") for number in self.promotions]
        assert {row["status"] for row in promotions} <= {"succeeded", "superseded"}
        assert promotions[-1]["status"] == "succeeded"
        jobs = [self.ended(f"/api/v1/jobs/{number}/") for number in self.jobs]
        # What trains ended with the server of the worker: that is said, and the work is there to be sent again.
        assert {row["status"] for row in jobs} <= {"succeeded", "errored"}
        assert sum(row["status"] == "errored" for row in jobs) <= 1
        assert all(row["error_detail"] for row in jobs if row["status"] == "errored")
        models = {each["model"]: each["hash"] for each in self.client.call("GET", "/api/projects/default/models")}
        assert {row["model"] for row in jobs if row["status"] == "succeeded"} <= models.keys()
        for name in models:
            archive = self.client.http.get(f"/api/projects/default/models/{name}")
            assert archive.status_code == 200
            assert hashlib.sha256(archive.content).hexdigest() in (models[name], archive.headers["ETag"].strip('"'))


def kill(stack, traffic, *services):
    """Kill the first container of each, and have them away for a while; what production said meanwhile."""
    victims = [stack.containers(service)[0] for service in services]
    begun = time.monotonic()
    for victim in victims:
        victim.kill()
    time.sleep(DOWN_SECONDS)
    with suppress(AssertionError):
        live.wait_until(lambda: all(traffic.between(begun, time.monotonic()).values()), 30, "an answer of each")
    ended = time.monotonic()
    for victim in victims:
        victim.start()
    stack.wait_for_web()
    live.wait_until(lambda: all(alive(victim) for victim in victims), 300, f"health of {services}")
    return traffic.between(begun, ended)


def comes_back_by_itself(stack):
    """What ends by itself is started again; what `docker kill` ended is not, for that was somebody's will."""
    web = stack.container("web")
    web.exec_run(["sh", "-c", "kill -9 -1"])
    live.wait_until(lambda: web.reload() or web.attrs["RestartCount"] == 1, 60, "a restart of web")
    stack.wait_for_web()


def url_of(stack, container):
    return f"http://{stack.address(container)}:5005"


def alive(container):
    """What has no model yet says so by its health; others are looked at once a minute."""
    container.reload()
    health = container.attrs["State"].get("Health", {}).get("Status", "healthy")
    loads = container.labels["com.docker.compose.service"].startswith("rasa-")
    return container.status == "running" and (health == "healthy" if loads else health != "unhealthy")


def test_killing_any_one_container_loses_nothing_and_production_answers_without_the_control_plane(stack):
    stack.declare(entry("production", replicas=2), entry("worker"))
    stack.generate("--env", "--write")
    stack.compose("up", "-d")
    stack.wait_for_web()
    client = stack.client()
    main_job.wait_for(client.missing_at_start, 300)
    work = Work(client)
    work.promote()
    work.ended(f"/api/v1/promotions/{work.promotions[0]}/")
    first, second = stack.containers("rasa-production")
    # One that is started again may have another address.
    urls = {each.name: partial(url_of, stack, each) for each in (first, second)}
    with Traffic(urls) as traffic:
        for service in (*CONTROL_PLANE, *OTHERS):
            work.promote()
            work.train()
            said = kill(stack, traffic, service)
            if service in CONTROL_PLANE:
                assert all(texts and all(texts) for texts in said.values()), (service, said)
            if service == "rasa-production":
                assert said[second.name], said
                assert all(said[second.name]), said
        work.promote()
        said = kill(stack, traffic, *CONTROL_PLANE)
        assert all(texts and all(texts) for texts in said.values()), said
        comes_back_by_itself(stack)
    work.kept()
    main_job.converse(client, "production", work.models[(len(work.promotions) - 1) % 2])
