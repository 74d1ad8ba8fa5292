"""The broker is gone at a submit, during work, or loses its messages: whoever submits is answered at once, the job runs
when the broker is back, and the workers find it again by themselves."""

import time
import uuid
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests import live
from tests.bad_days.conftest import rabbitmqctl, virtual_host
from tests.fake_rasa import FakeRasa
from tests.live import wait_until
from tests.outages import Proxy
from tests.polling import INSTALLATION_TOKEN
from tests.projects import zipped

# A submit tries the broker for 1 s where it is gone, and for 3 s where it hangs; the machine may be busy.
BOUND = 8.0
# A message that was lost is sent again after 20 s, by beat and the worker "default", who have to come back as well.
BACK_WITHIN = 90.0
EVERYTHING = ("web", "training", "default", "beat")
ENVIRONMENTS = "rasa:\n  production:\n    url: http://production.invalid:5005\n  worker:\n    url: {url}\n"


class Files:
    """The embedded broker, whose folder is taken away."""

    url = "filesystem://localhost"
    variables: dict[str, str] = {}

    def at(self, home):
        self.folder = home / "broker"

    @contextmanager
    def away(self):
        aside = self.folder.with_name("broker-aside")
        self.folder.rename(aside)
        self.folder.write_text("no folder")
        yield
        self.folder.unlink()
        aside.rename(self.folder)

    def lose_messages(self):
        for message in (self.folder / "messages" / "training").glob("*.msg"):
            message.unlink()


class Proxied:
    """A broker behind a proxy."""

    def __init__(self, proxy, lose_messages):
        self.proxy, self.lose_messages = proxy, lose_messages
        self.variables = {"BROKER_URL": proxy.url}

    def at(self, home):
        """It needs no home."""

    @contextmanager
    def away(self):
        self.proxy.cut()
        yield
        self.proxy.mend()

    @contextmanager
    def hanging(self):
        self.proxy.hang()
        yield
        self.proxy.mend()


@pytest.fixture(scope="module")
def rabbitmq():
    """A virtual host of its own on the standing RabbitMQ server."""
    with virtual_host() as url, Proxy(url) as proxy:
        name = urlsplit(url).path.strip("/")
        yield Proxied(proxy, lambda: rabbitmqctl("purge_queue", "-p", name, "training"))


@pytest.fixture(scope="module")
def redis_broker(redis_server, redis):
    return Proxied(redis, lambda: redis_server.ask("FLUSHALL"))


BROKERS = [
    Files,
    pytest.param("redis_broker", marks=pytest.mark.redis),
    pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
]


class Workshop:
    """A control plane with all its parts, and a training server that can be made to keep the worker waiting."""

    def __init__(self, control_plane, broker, fake, rasa):
        self.control_plane, self.broker, self.fake, self.rasa = control_plane, broker, fake, rasa
        broker.at(control_plane.home)
        sent = control_plane.http.post("/api/v1/bundles/", files={"bundle": ("bundle.zip", zipped())})
        assert sent.status_code == 201, sent.text

    def submit(self):
        """A training; its id, and the seconds until it was taken."""
        began = time.monotonic()
        made = self.control_plane.http.post("/api/v1/jobs/", json={"kind": "training", "model_name": name()})
        seconds = time.monotonic() - began
        assert made.status_code == 201, made.text
        assert made.json()["status"] == "queued"
        return made.json()["id"], seconds

    def status(self, job):
        return self.control_plane.http.get(f"/api/v1/jobs/{job}/").json()["status"]

    def succeeds(self, job):
        wait_until(lambda: self.status(job) not in ("queued", "running"), BACK_WITHIN, "the end of the job")
        assert self.status(job) == "succeeded"

    def readiness(self):
        answer = self.control_plane.http.get("/readyz")
        return answer.status_code, answer.json()["broker"]

    def processes(self):
        return {part: process.process.poll() for part, process in self.control_plane.running.items()}


def name():
    return f"model-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module", params=BROKERS, ids=["files", "redis", "rabbitmq"])
def workshop(request, tmp_path_factory):
    broker = Files() if request.param is Files else request.getfixturevalue(request.param)
    with FakeRasa(always_new=True) as fake, Proxy(fake.url) as rasa:
        control_plane = live.ControlPlane(
            tmp_path_factory.mktemp("home"),
            ENVIRONMENTS.format(url=rasa.url),
            variables={"RASA_X_TOKEN": INSTALLATION_TOKEN, **broker.variables},
            parts=EVERYTHING,
        )
        yield Workshop(control_plane, broker, fake, rasa)
        control_plane.stop()


def test_a_job_submitted_while_the_broker_is_gone_runs_when_it_is_back(workshop):
    first, _ = workshop.submit()
    workshop.succeeds(first)
    with workshop.broker.away():
        job, seconds = workshop.submit()
        assert seconds < BOUND
        assert workshop.readiness() == (200, "unavailable")
        assert workshop.status(job) == "queued"
    workshop.succeeds(job)
    wait_until(lambda: workshop.readiness() == (200, "ok"), 30, "a broker that is ready")
    assert set(workshop.processes().values()) == {None}


def test_a_job_whose_worker_loses_the_broker_goes_on(workshop):
    workshop.rasa.hang()
    job, _ = workshop.submit()
    wait_until(lambda: workshop.status(job) == "running", BACK_WITHIN, "a start of the job")
    with workshop.broker.away():
        workshop.rasa.mend()
        workshop.succeeds(job)
    following, _ = workshop.submit()
    workshop.succeeds(following)
    assert set(workshop.processes().values()) == {None}


def test_messages_that_the_broker_lost_are_sent_again(workshop):
    """Nobody takes them meanwhile."""
    workshop.control_plane.kill("training")
    waiting = [workshop.submit()[0] for _ in range(2)]
    workshop.broker.lose_messages()
    workshop.control_plane.start("training")
    for job in waiting:
        workshop.succeeds(job)


@pytest.mark.parametrize("workshop", BROKERS[1:], ids=["redis", "rabbitmq"], indirect=True)
def test_a_broker_that_hangs_keeps_nobody_waiting(workshop):
    with workshop.broker.hanging():
        job, seconds = workshop.submit()
        assert seconds < BOUND
        began = time.monotonic()
        assert workshop.readiness() == (200, "unavailable")
        assert time.monotonic() - began < BOUND
        assert workshop.control_plane.http.get("/healthz").status_code == 200
    workshop.succeeds(job)
