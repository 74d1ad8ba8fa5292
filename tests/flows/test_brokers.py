"""Jobs, serving and promotion through each broker and on each database, with real worker processes: submitted, run,
followed, promoted, proved, cancelled; a message that is lost, and one that comes several times."""

import threading
import uuid
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests import live
from tests.bad_days.conftest import database, rabbitmqctl, virtual_host
from tests.fake_rasa import FakeRasa
from tests.live import wait_until
from tests.outages import RedisServer
from tests.polling import INSTALLATION_TOKEN, Replica
from tests.projects import zipped

ENVIRONMENTS = """
rasa:
  production:
    url: http://production.invalid:5005
    pull_interval: 1
  worker:
    url: {url}
"""
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
BROKERS = [
    "files",
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
]
WITHIN = 60.0
SEND_AGAIN = """
from environments.actions.queue import send
from environments.models import Job
for _ in range(4):
    send(Job.objects.get(pk={job}))
"""
# As if a minute had passed.
SEND_LOST = """
from datetime import timedelta
from django.utils import timezone
from environments.actions.queue import send_lost
from environments.models import Job
Job.objects.filter(pk={job}).update(sent_at=timezone.now() - timedelta(minutes=1))
send_lost()
"""


class Workshop:
    """A control plane whose worker trains on a fake Rasa server."""

    def __init__(self, control_plane, rasa, lose_messages):
        self.control_plane, self.rasa, self.lose_messages = control_plane, rasa, lose_messages
        self.http = control_plane.http
        sent = self.http.post("/api/v1/bundles/", files={"bundle": ("bundle.zip", zipped())})
        assert sent.status_code == 201, sent.text

    def submit(self, name=""):
        body = {"kind": "training", "model_name": name or f"model-{uuid.uuid4().hex[:8]}"}
        made = self.http.post("/api/v1/jobs/", json=body)
        assert made.status_code == 201, made.text
        return made.json()["id"]

    def job(self, job, **query):
        return self.http.get(f"/api/v1/jobs/{job}/", params=query).json()

    def ended(self, job):
        return self.job(job, wait=WITHIN)

    def is_trained(self, job):
        """Whether its training is under way."""
        return self.job(job)["status"] == "running" and self.rasa.training > 0

    def trainings(self):
        return sum(path == "/model/train" for _, path, *_ in self.rasa.requests)


@contextmanager
def database_of(kind):
    """The variables of a new one."""
    if kind == "sqlite":
        yield {}
        return
    with database() as url:
        yield {"DATABASE_URL": url}


@contextmanager
def broker_of(kind, home):
    """The variables of a new one, and what loses its messages to trainings."""
    if kind == "files":
        yield {}, lambda: [path.unlink() for path in (home / "broker" / "messages" / "training").glob("*.msg")]
    elif kind == "redis":
        server = RedisServer(home)
        yield {"BROKER_URL": server.url}, lambda: server.ask("FLUSHALL")
        server.stop()
    else:
        with virtual_host() as url:
            name = urlsplit(url).path.strip("/")
            yield {"BROKER_URL": url}, lambda: rabbitmqctl("purge_queue", "-p", name, "training")


@pytest.fixture(scope="module", params=DATABASES)
def kind_of_database(request):
    return request.param


@pytest.fixture(scope="module", params=BROKERS)
def workshop(request, kind_of_database, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with (
        FakeRasa(always_new=True) as rasa,
        database_of(kind_of_database) as of_database,
        broker_of(request.param, home) as (of_broker, lose_messages),
    ):
        variables = {"RASA_X_TOKEN": INSTALLATION_TOKEN, **of_database, **of_broker}
        environments = ENVIRONMENTS.format(url=rasa.url)
        plane = live.ControlPlane(home, environments, variables=variables, parts=("web", "training"))
        try:
            yield Workshop(plane, rasa, lose_messages)
        finally:
            plane.stop()


@pytest.fixture
def held(workshop):
    """Trainings last until it is set."""
    workshop.rasa.held = threading.Event()
    yield workshop.rasa.held
    workshop.rasa.held.set()
    workshop.rasa.held = None


def test_a_training_becomes_the_model_that_a_server_proves(workshop):
    trained = workshop.ended(workshop.submit())
    assert (trained["status"], trained["error_detail"]) == ("succeeded", "")
    path = "/api/v1/environments/production/promotions/"
    promotion = workshop.http.post(path, json={"model": trained["model"]}).json()
    Replica([workshop.control_plane.url]).load()
    assert workshop.http.get(f"/api/v1/promotions/{promotion['id']}/?wait={WITHIN}").json()["status"] == "succeeded"
    production = workshop.http.get("/api/v1/environments/production/").json()
    assert (production["model"]["name"], production["replicas"]["serving"]) == (trained["model"], 1)


def test_a_run_that_is_cancelled_ends_and_the_next_one_runs(workshop, held):
    job = workshop.submit()
    wait_until(lambda: workshop.is_trained(job), WITHIN, "a start of the training")
    assert workshop.http.post(f"/api/v1/jobs/{job}/cancel/").status_code == 202
    cancelled = workshop.ended(job)
    assert (cancelled["status"], cancelled["model"]) == ("cancelled", None)
    following = workshop.submit()
    held.set()
    assert workshop.ended(following)["status"] == "succeeded"
    assert workshop.job(job)["status"] == "cancelled"


def test_a_job_whose_message_was_lost_is_sent_again(workshop):
    workshop.control_plane.kill("training")
    lost = workshop.submit()
    workshop.lose_messages()
    workshop.control_plane.start("training")
    workshop.control_plane.run(SEND_LOST.format(job=lost))
    assert workshop.ended(lost)["status"] == "succeeded"


def test_a_task_that_comes_several_times_runs_once(workshop, held):
    before = workshop.trainings()
    job = workshop.submit()
    wait_until(lambda: workshop.is_trained(job), WITHIN, "a start of the training")
    workshop.control_plane.run(SEND_AGAIN.format(job=job))
    held.set()
    assert workshop.ended(job)["status"] == "succeeded"
    # Messages are taken in turn: when this one has run, those that came again have been looked at.
    assert workshop.ended(workshop.submit())["status"] == "succeeded"
    assert workshop.trainings() == before + 2


def test_jobs_run_one_after_the_other_are_followed_and_cancelled(workshop, held):
    names = [f"model-{uuid.uuid4().hex[:8]}" for _ in range(4)]
    running, waiting, unwanted, last = (workshop.submit(name) for name in names)
    wait_until(lambda: workshop.is_trained(running), WITHIN, "a start of the training")
    assert [workshop.job(other)["position"] for other in (waiting, unwanted, last)] == [1, 2, 3]
    assert workshop.http.post(f"/api/v1/jobs/{unwanted}/cancel/").json()["status"] == "cancelled"
    held.set()
    for identifier, name in ((running, names[0]), (waiting, names[1]), (last, names[3])):
        ended = workshop.ended(identifier)
        assert (ended["status"], ended["model"]) == ("succeeded", name), ended
    assert workshop.rasa.most_training == 1
    log = workshop.http.get(f"/api/v1/jobs/{last}/log/").json()
    assert log["done"]
    assert "training on worker" in log["text"]
