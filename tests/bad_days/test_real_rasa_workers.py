"""A stock Rasa server of four Sanic workers, which poll each for itself under one name."""

import os
import signal
import time
from urllib.parse import urlsplit

import pytest

from tests import live, services, watching
from tests.archives import real_archive, sha256
from tests.relay import Relay
from tests.repeats import times

pytestmark = [pytest.mark.rasa, pytest.mark.redis]

WORKERS = 4
INTERVAL = 2
MODELS = ("calm-heron", "brisk-otter")
ARCHIVES = {name: real_archive(name) for name in MODELS}
DECLARATION = """
rasa:
  crowd:
    url: {url}
    workers: {workers}
"""
DECLARED = DECLARATION + f"    pull_interval: {INTERVAL}\n"
ENDPOINTS = f"""
models:
  url: {{url}}/api/projects/default/models/tags/crowd
  token: {{token}}
  wait_time_between_pulls: {INTERVAL}
  params:
    replica: crowd-1
lock_store:
  type: redis
  url: {{redis.hostname}}
  port: {{redis.port}}
  db: 11
"""


class Crowd:
    """The server, the control plane, and the relay between them."""

    def __init__(self, control_plane, relay, server, declarations):
        self.control_plane, self.relay, self.server = control_plane, relay, server
        self.declarations = declarations

    def declare(self, how):
        self.control_plane.declare(self.declarations[how])

    def workers(self):
        """Those that polled lately."""
        since = time.monotonic() - 3 * INTERVAL
        return sorted({poll.process for poll in self.relay.polls if poll.at > since})

    def all_show(self, model, until=None):
        shown = self.relay.shown(until)
        return [shown[worker] for worker in self.workers()] == [sha256(ARCHIVES[model])] * WORKERS

    def settle_on(self, model):
        watching.promote(self.control_plane, "crowd", model)
        watching.samples_until(self.control_plane, "crowd", watching.is_well, 60, f"{model} in sync")

    def promote(self, model, seconds=30):
        """What the environment said until it was in sync."""
        watching.promote(self.control_plane, "crowd", model)
        return self.watch(lambda report: report["sync"] == "in_sync", seconds, f"{model} in sync")

    def watch(self, condition, seconds, what):
        return watching.samples_until(self.control_plane, "crowd", condition, seconds, what, every=0.05)

    def promotion(self):
        response = self.control_plane.http.get("/api/v1/environments/crowd/promotions/")
        return response.json()["results"][0]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory, start_rasa):
    control_plane = live.ControlPlane(tmp_path_factory.mktemp("crowd"), parts=("web", "default", "beat"))
    port = live.free_port()
    url = f"http://127.0.0.1:{port}"
    declarations = {
        "declared": DECLARED.format(url=url, workers=WORKERS),
        "learned": DECLARATION.format(url=url, workers=WORKERS),
    }
    control_plane.declare(declarations["declared"])
    for name, archive in ARCHIVES.items():
        files = {"model": (f"{name}.tar.gz", archive, "application/gzip")}
        assert control_plane.http.post("/api/projects/default/models", files=files).status_code == 201
    with Relay(control_plane.url) as relay:
        redis = urlsplit(services.REDIS_URL)
        endpoints = ENDPOINTS.format(url=relay.url, token=control_plane.service_token("crowd"), redis=redis)
        server = start_rasa(endpoints=endpoints, variables={"SANIC_WORKERS": str(WORKERS)}, port=port)
        server.wait()
        crowd = Crowd(control_plane, relay, server, declarations)
        live.wait_until(lambda: len(crowd.workers()) == WORKERS, 120, "a poll of each worker")
        yield crowd
        server.stop()
        control_plane.stop()


@pytest.fixture(params=["declared", "learned"])
def told(crowd, request):
    """The server with its pull interval declared, and with the interval left to be learned; settled on a model."""
    crowd.declare(request.param)
    crowd.settle_on(MODELS[0])
    return crowd


@pytest.mark.nightly
def test_a_healthy_promotion_is_never_called_stuck_nor_in_sync_before_all_four_have_it(told):
    for number in range(times(2, nightly=30)):
        model = MODELS[(number + 1) % len(MODELS)]
        samples = told.promote(model)
        assert told.all_show(model, until=samples[-1].at), told.relay.shown()
        assert not any(sample.report["replicas"]["stuck"] for sample in samples)
        assert {tuple(watching.said_by(told.server)) for _ in range(20)} == {(f"Hello from {model}.",)}
        live.wait_until(lambda: told.promotion()["status"] == "succeeded", 10, "a promotion that succeeded")


@pytest.mark.nightly
def test_it_is_not_in_sync_while_one_worker_hangs_with_the_model_before(told):
    frozen = told.workers()[0]
    os.kill(frozen, signal.SIGSTOP)
    try:
        watching.promote(told.control_plane, "crowd", MODELS[1])
        until = time.monotonic() + times(15, nightly=120)
        samples = told.watch(lambda _: time.monotonic() > until, 600, "the end of the time")
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert not any(sample.report["sync"] == "in_sync" for sample in samples)
    samples = told.watch(lambda report: report["sync"] == "in_sync", 30, "all four in sync")
    assert told.all_show(MODELS[1], until=samples[-1].at)
