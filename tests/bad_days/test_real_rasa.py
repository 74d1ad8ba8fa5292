"""What can go wrong with a stock Rasa server, and what the control plane says of it and does about it."""

import signal
import time
import uuid

import httpx
import pytest

from tests import live, watching
from tests.archives import real_archive, sha256
from tests.repeats import times
from tests.watching import is_well, said_by

pytestmark = pytest.mark.rasa

INTERVAL = 2
SHOWN_WITHIN = 3 * INTERVAL + 1
# A server whose environment declares no interval is asked for its /status every 5 s.
STILL_SHOWN_WITHIN = 3 * 5 + 1
PASSWORD = "a-password-for-the-pages"
MODELS = ("calm-heron", "brisk-otter")
OLD = "old-heron"
ARCHIVES = {name: real_archive(name) for name in MODELS} | {OLD: real_archive(OLD, rasa_open_source_version="3.6.20")}
DECLARATION = """
rasa:
  shop:
    url: http://127.0.0.1:{ports[shop]}
    pull_interval: {interval}
  locked:
    url: http://127.0.0.1:{ports[locked]}
    pull_interval: {interval}
  still:
    url: http://127.0.0.1:{ports[still]}
    pull_interval: null
"""
ENDPOINTS = f"""
models:
  url: {{url}}/api/projects/default/models/tags/{{environment}}
  token: {{token}}
  wait_time_between_pulls: {INTERVAL}
  params:
    replica: {{environment}}-1
"""
PAST_ITS_DEADLINE = """
from datetime import timedelta
from django.utils import timezone
from environments.models import Environment, Promotion
from environments.serving import reports
deadline = reports.report(Environment.objects.get(name="shop")).deadline
Promotion.objects.filter(pk={promotion}).update(created_at=timezone.now() - deadline - timedelta(seconds=1))
"""


class Shop:
    """A control plane and the server of its environment `shop`, which is started when a test needs it."""

    def __init__(self, control_plane, start_rasa, port):
        self.control_plane, self.start_rasa, self.port = control_plane, start_rasa, port
        self.token = control_plane.service_token("shop")
        self.server = None

    def start(self):
        endpoints = ENDPOINTS.format(url=self.control_plane.url, token=self.token, environment="shop")
        self.server = self.start_rasa(endpoints=endpoints, port=self.port)
        self.server.wait()

    def kill(self):
        if self.server:
            self.server.stop()
            self.server = None

    def report(self, environment="shop"):
        return watching.report_of(self.control_plane, environment)

    def replica(self):
        return self.control_plane.http.get("/api/v1/environments/shop/replicas/").json()[0]

    def promote(self, model, environment="shop", *, force=False):
        return watching.promote(self.control_plane, environment, model, force=force)

    def promotion(self, promotion):
        return self.control_plane.http.get(f"/api/v1/promotions/{promotion['id']}/").json()

    def watch(self, condition, what, *, seconds=SHOWN_WITHIN, environment="shop", every=0.1):
        return watching.samples_until(self.control_plane, environment, condition, seconds, what, every=every)

    def put_model(self, body, server=None):
        server = server or self.server
        return httpx.put(f"{server.url}/model", json=body, timeout=60)

    def delete_model(self):
        assert httpx.delete(f"{self.server.url}/model", timeout=60).status_code == 204

    def poll(self, etag):
        """What a process with that entity tag is given."""
        url = f"{self.control_plane.url}/api/projects/default/models/tags/shop"
        parameters = {"token": self.token, "replica": "shop-1"}
        return httpx.get(url, params=parameters, headers={"If-None-Match": f'"{etag}"'}, timeout=30)


def hello(model):
    return [f"Hello from {model}."]


def says(phrase):
    """A condition: some reason contains the phrase."""
    return lambda report: any(phrase in reason for reason in report["reasons"])


@pytest.fixture(scope="module")
def ports():
    return {name: live.free_port() for name in ("shop", "locked", "still")}


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory, ports):
    control_plane = live.ControlPlane(
        tmp_path_factory.mktemp("shop"),
        DECLARATION.format(ports=ports, interval=INTERVAL),
        variables={"CONTROLPLANE_ADMIN_PASSWORD": PASSWORD},
        parts=("web", "default", "beat"),
    )
    for name, archive in ARCHIVES.items():
        files = {"model": (f"{name}.tar.gz", archive, "application/gzip")}
        assert control_plane.http.post("/api/projects/default/models", files=files).status_code == 201
    yield control_plane
    control_plane.stop()


@pytest.fixture(scope="module")
def others(control_plane, start_rasa, ports):
    """`locked` polls with a service token that is none; `still` never polls: somebody gives it its model."""
    endpoints = ENDPOINTS.format(url=control_plane.url, token="cps_1_wrong", environment="locked")
    servers = {
        "locked": start_rasa(endpoints=endpoints, port=ports["locked"]),
        "still": start_rasa(port=ports["still"]),
    }
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="module")
def shop(control_plane, start_rasa, ports, others):
    """All servers start at once, and nothing is measured before they are up."""
    shop = Shop(control_plane, start_rasa, ports["shop"])
    shop.start()
    for server in others.values():
        server.wait()
    yield shop
    shop.kill()


@pytest.fixture
def serving(shop):
    """Its server serves the first model, whatever happened to it before."""
    if shop.server is None:
        shop.start()
    shop.promote(MODELS[0])
    shop.watch(is_well, "a healthy start", seconds=60)
    assert said_by(shop.server) == hello(MODELS[0])
    return shop


def test_a_promotion_to_servers_that_are_down_is_unproven_until_they_come(shop):
    shop.kill()
    shop.promote(MODELS[0])
    promotion = shop.promote(MODELS[1])
    shop.watch(lambda report: report["health"] == "unreachable", "an unreachable environment")
    assert shop.report()["sync"] != "in_sync"
    assert shop.promotion(promotion)["status"] == "rolling_out"
    shop.control_plane.run(PAST_ITS_DEADLINE.format(promotion=promotion["id"]))
    live.wait_until(lambda: shop.promotion(promotion)["status"] == "unproven", 10, "the end of the deadline")
    assert shop.promotion(promotion)["error_code"] == "unproven"
    shop.start()
    live.wait_until(lambda: shop.promotion(promotion)["status"] == "succeeded", 60, "the proof")
    assert said_by(shop.server) == hello(MODELS[1])


def test_a_server_that_is_told_to_load_again_is_seen_to_load_and_is_in_sync(serving):
    downloads = serving.replica()["downloads"]
    assert serving.put_model({}).status_code == 204
    serving.watch(lambda report: serving.replica()["downloads"] == downloads + 1, "the download")
    serving.watch(is_well, "in sync again")
    assert said_by(serving.server) == hello(MODELS[0])


def test_a_server_that_polls_takes_no_other_file(serving, tmp_path):
    (tmp_path / "other.tar.gz").write_bytes(ARCHIVES[MODELS[1]])
    assert serving.put_model({"model_file": str(tmp_path / "other.tar.gz")}).status_code == 204
    assert said_by(serving.server) == hello(MODELS[0])
    serving.watch(is_well, "in sync again")


def test_a_server_that_does_not_poll_and_was_given_another_file_is_shown(shop, others, tmp_path):
    still = others["still"]
    for name in MODELS:
        (tmp_path / f"{name}.tar.gz").write_bytes(ARCHIVES[name])
    shop.promote(MODELS[1], "still")
    shop.promote(MODELS[0], "still")
    assert shop.put_model({"model_file": str(tmp_path / f"{MODELS[0]}.tar.gz")}, still).status_code == 204
    shop.watch(is_well, "in sync", environment="still", seconds=STILL_SHOWN_WITHIN)
    assert shop.put_model({"model_file": str(tmp_path / f"{MODELS[1]}.tar.gz")}, still).status_code == 204
    why = f"It serves {MODELS[1]} and does not poll. Restart it to give it {MODELS[0]}."
    report = shop.watch(says(why), "the other model", environment="still", seconds=STILL_SHOWN_WITHIN)[-1].report
    assert report["sync"] == "out_of_sync"


def test_a_server_whose_model_was_unloaded_is_shown_and_heals_by_a_new_load(serving):
    serving.delete_model()
    report = serving.watch(says("it has no model loaded"), "the missing model")[-1].report
    assert (report["sync"], report["health"]) == ("out_of_sync", "degraded")
    assert serving.put_model({}).status_code == 204
    serving.watch(is_well, "in sync again", seconds=20)
    assert said_by(serving.server) == hello(MODELS[0])


def test_a_server_that_was_told_to_load_in_vain_and_follows_no_more_is_shown(serving):
    """rasa-facts: its pull job is bound to an agent that nobody asks, which polls on as if all were well."""
    serving.promote(OLD, force=True)
    serving.watch(lambda report: report["replicas"]["stuck"], "a stuck replica", seconds=20)
    assert serving.put_model({}).status_code == 400
    serving.promote(MODELS[1])
    live.wait_until(lambda: serving.replica()["proved"], 20, "a proof that is none")
    report = serving.watch(says("somebody changed it"), "the other model")[-1].report
    assert said_by(serving.server) == hello(MODELS[0])
    assert (report["sync"], report["health"]) == ("out_of_sync", "degraded")
    assert serving.put_model({}).status_code == 204
    serving.watch(is_well, "in sync again", seconds=20)
    assert said_by(serving.server) == hello(MODELS[1])


def test_a_server_that_hangs_is_shown_and_heals_by_itself(serving):
    serving.server.signal(signal.SIGSTOP)
    try:
        report = serving.watch(lambda report: report["sync"] == "out_of_sync", "the hanging server")[-1].report
        assert report["health"] != "healthy"
        assert report["reasons"]
        serving.watch(lambda report: report["health"] == "unreachable", "that its URL is dead, too", seconds=20)
    finally:
        serving.server.signal(signal.SIGCONT)
    serving.watch(is_well, "in sync again", seconds=20)


@pytest.mark.nightly
def test_rasa_answers_while_the_control_plane_is_away_and_no_alarm_follows(serving):
    serving.control_plane.kill("web")
    until = time.monotonic() + times(5 * INTERVAL, nightly=60)
    while time.monotonic() < until:
        assert said_by(serving.server) == hello(MODELS[0])
        time.sleep(0.3)
    serving.control_plane.start("web")
    samples = serving.watch(is_well, "in sync again", every=0.3)
    assert {(sample.report["sync"], sample.report["health"]) for sample in samples[:-1]} <= {("unknown", "unknown")}
    assert not any(sample.report["reasons"] for sample in samples)
    until = time.monotonic() + 3 * INTERVAL
    samples = serving.watch(lambda _: time.monotonic() > until, "the end of the time", seconds=60, every=0.3)
    assert all(is_well(sample.report) for sample in samples)


def test_a_server_that_comes_before_the_control_plane_takes_its_model_when_that_comes(serving):
    serving.kill()
    serving.control_plane.kill("web")
    serving.start()
    assert httpx.get(f"{serving.server.url}/status", timeout=60).status_code == 409
    serving.control_plane.start("web")
    serving.watch(is_well, "a model", seconds=60, every=0.3)
    assert said_by(serving.server) == hello(MODELS[0])


def test_a_process_restarted_ten_times_within_an_interval_always_gets_a_model(serving):
    answers = [serving.poll(uuid.uuid4().hex) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] * 10
    assert {sha256(answer.content) for answer in answers} == {sha256(ARCHIVES[MODELS[0]])}
    assert serving.replica()["state"] != "stuck"
    serving.watch(is_well, "in sync again")


@pytest.mark.nightly
def test_promotions_are_live_in_time_and_nothing_false_is_claimed(serving):
    said = {name: f"Hello from {name}." for name in reversed(MODELS)}
    count = times(5, nightly=100)
    measured = watching.measure_promotions(
        serving.control_plane, "shop", [serving.server], said, count=count, interval=INTERVAL
    )
    assert (measured.false_in_sync, measured.false_stuck) == (0, 0)
    assert measured.claims >= count
    assert len(measured.seconds) == count


def test_a_model_too_old_for_the_server_is_stuck_says_why_and_is_healed_by_a_rollback(serving):
    before = serving.replica()["downloads"]
    promotion = serving.promote(OLD, force=True)
    report = serving.watch(lambda report: report["replicas"]["stuck"], "a stuck replica", seconds=20)[-1].report
    assert (report["sync"], report["health"]) == ("out_of_sync", "degraded")
    why = "The model was trained with Rasa 3.6.20; the server runs 3.6.21 and takes 3.6.21 or newer."
    assert says(why)(report)
    assert why in page(serving.control_plane)
    assert serving.replica()["downloads"] == before + 3
    live.wait_until(lambda: serving.promotion(promotion)["status"] == "failed", 10, "a failed promotion")
    assert why in serving.promotion(promotion)["error_detail"]
    polled = serving.replica()["last_poll_at"]
    live.wait_until(lambda: serving.replica()["last_poll_at"] > polled, 10, "another poll")
    assert serving.replica()["downloads"] == before + 3
    assert said_by(serving.server) == hello(MODELS[0])
    serving.control_plane.http.post("/api/v1/environments/shop/rollback/", json={}).raise_for_status()
    serving.watch(is_well, "in sync again")
    assert said_by(serving.server) == hello(MODELS[0])


def test_a_server_killed_while_stuck_is_shown_and_gets_the_last_proven_model_when_it_comes_back(serving):
    serving.promote(OLD, force=True)
    serving.watch(lambda report: report["replicas"]["stuck"], "a stuck replica", seconds=20)
    serving.kill()
    report = serving.watch(lambda report: report["health"] == "unreachable", "the dead server")[-1].report
    assert report["reasons"]
    for _ in range(9):
        process = uuid.uuid4().hex
        given = [sha256(serving.poll(process).content) for _ in range(4)]
        assert given == [sha256(ARCHIVES[OLD])] * 3 + [sha256(ARCHIVES[MODELS[0]])]
    serving.start()
    live.wait_until(lambda: said_by(serving.server) == hello(MODELS[0]), 30, "an answer by the last proven model")
    report = serving.watch(lambda report: report["replicas"]["stuck"], "that it is still stuck")[-1].report
    assert (report["sync"], report["health"]) == ("out_of_sync", "degraded")
    serving.control_plane.http.post("/api/v1/environments/shop/rollback/", json={}).raise_for_status()
    serving.watch(is_well, "in sync again", seconds=20)


def test_a_server_with_a_wrong_service_token_is_shown(shop):
    shop.promote(MODELS[0], "locked")
    report = shop.watch(says("a wrong token is invisible"), "the wrong token", environment="locked")[-1].report
    assert (report["health"], report["replicas"]["live"]) == ("degraded", 0)
    assert report["sync"] != "in_sync"
    connect = page(shop.control_plane, "/p/default/environments/locked/connect/")
    assert "<code>locked-1</code> at <code>127.0.0.1</code> was turned away" in connect


def page(control_plane, path="/p/default/environments/shop/"):
    """A page as a person sees it; else that of the environment."""
    with httpx.Client(base_url=control_plane.url, follow_redirects=True, timeout=30) as browser:
        form = browser.get("/sign-in/").text
        token = form.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        credentials = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token}
        browser.post("/sign-in/", data=credentials, headers={"Referer": control_plane.url}).raise_for_status()
        return browser.get(path).raise_for_status().text
