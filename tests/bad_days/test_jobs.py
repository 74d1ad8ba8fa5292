"""Jobs on bad days: whatever is killed, hangs or lies, each job is taken up again or ends with its reason within a
minute, and none is run twice to effect."""

import shutil
import threading
import time

import pytest

from tests import live
from tests.fake_rasa import FakeRasa
from tests.live import wait_until
from tests.outages import Proxy
from tests.projects import zipped

MINUTE = 60.0
# With beat and all workers.
EVERYTHING = ("web", "training", "default", "beat")
ENVIRONMENTS = "rasa:\n  production:\n    url: http://production.invalid:5005\n  worker:\n    url: {url}\n"
TIMEOUT = 40.0
SEND = "from environments.actions import queue; from environments.models import Job; job = Job.objects.get(pk={job})\n"
PRINT = """
from environments.actions import job_logs
from environments.models import Job
job_logs.append(job=Job.objects.get(pk={job}), text="{text}")
"""


class Workshop:
    """A control plane that trains on a fake Rasa server behind a proxy."""

    def __init__(self, control_plane, fake, rasa):
        self.control_plane, self.fake, self.rasa = control_plane, fake, rasa
        sent = control_plane.http.post("/api/v1/bundles/", files={"bundle": ("bundle.zip", zipped())})
        assert sent.status_code == 201, sent.text

    def submit(self):
        made = self.control_plane.http.post("/api/v1/jobs/", json={"kind": "training"})
        assert made.status_code == 201, made.text
        return made.json()["id"]

    def job(self, job):
        return self.control_plane.http.get(f"/api/v1/jobs/{job}/").json()

    def cancel(self, job):
        assert self.control_plane.http.post(f"/api/v1/jobs/{job}/cancel/").status_code == 202

    def trains(self, job):
        """Wait until the Rasa server works for the job."""
        wait_until(lambda: self.job(job)["step"].startswith("training on") and self.fake.training, MINUTE, "a training")

    def ends(self, job, seconds=MINUTE):
        """How it ended."""
        wait_until(lambda: self.job(job)["finished_at"], seconds, "the end of the job")
        return self.job(job)

    def models(self):
        return self.control_plane.http.get("/api/projects/default/models").json()

    def restart(self, part):
        self.control_plane.kill(part)
        self.control_plane.start(part)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with FakeRasa(always_new=True) as fake, Proxy(fake.url) as rasa:
        control_plane = live.ControlPlane(
            tmp_path_factory.mktemp("home"),
            ENVIRONMENTS.format(url=rasa.url),
            variables={"TRAINING_TIMEOUT": str(TIMEOUT), "TRAINING_PATIENCE": "3"},
            parts=EVERYTHING,
        )
        yield Workshop(control_plane, fake, rasa)
        control_plane.stop()


@pytest.fixture
def workshop(shared):
    """Each test leaves all of it running."""
    shared.fake.held = None
    yield shared
    if shared.fake.held is not None:
        shared.fake.held.set()
    shared.rasa.mend()
    for part in EVERYTHING:
        if part not in shared.control_plane.running:
            shared.control_plane.start(part)
    wait_until(lambda: shared.fake.training == 0, MINUTE, "the end of all trainings")
    shared.fake.held = None


@pytest.fixture
def held(workshop):
    workshop.fake.held = threading.Event()
    return workshop.fake.held


def test_a_training_whose_worker_is_killed_is_taken_up_again_and_makes_one_model(workshop, held):
    before = len(workshop.models())
    job = workshop.submit()
    workshop.trains(job)
    workshop.control_plane.kill("training")
    workshop.control_plane.start("training")
    wait_until(lambda: "again" in workshop.job(job)["step"] or workshop.job(job)["worker"], MINUTE, "a new run")
    held.set()
    ended = workshop.ends(job)
    assert (ended["status"], ended["error_detail"]) == ("succeeded", "")
    log = workshop.control_plane.http.get(f"/api/v1/jobs/{job}/log/").json()["text"]
    assert log.count("reading the bundle") == 2
    assert len(workshop.models()) == before + 1


@pytest.mark.parametrize("part", ["beat", "default", "web"])
def test_a_training_goes_on_when_another_process_is_killed(workshop, held, part):
    job = workshop.submit()
    workshop.trains(job)
    workshop.control_plane.kill(part)
    held.set()
    workshop.control_plane.start(part)
    assert workshop.ends(job)["status"] == "succeeded"
    assert workshop.ends(workshop.submit())["status"] == "succeeded"


def test_a_training_whose_rasa_server_dies_ends_with_the_reason_and_the_next_goes_on(workshop, held):
    job = workshop.submit()
    workshop.trains(job)
    workshop.rasa.cut()
    ended = workshop.ends(job)
    assert (ended["status"], ended["error_code"]) == ("errored", "training-unavailable")
    assert "The Rasa server of worker could not train" in ended["error_detail"]
    held.set()
    workshop.rasa.mend()
    assert workshop.ends(workshop.submit())["status"] == "succeeded"


def test_a_log_is_read_on_where_it_was_when_the_web_process_is_killed(workshop, held):
    job = workshop.submit()
    workshop.trains(job)
    path = f"/api/v1/jobs/{job}/log/"
    first = workshop.control_plane.http.get(path).json()
    workshop.control_plane.kill("web")
    workshop.control_plane.run(PRINT.format(job=job, text="while nobody listened\\n"))
    workshop.control_plane.start("web")
    more = workshop.control_plane.http.get(path, params={"offset": first["next_offset"]}).json()
    assert (more["text"], more["done"]) == ("while nobody listened\n", False)
    held.set()
    workshop.ends(job)
    rest = workshop.control_plane.http.get(path, params={"offset": more["next_offset"]}).json()
    assert rest["text"].endswith("storing the model\n")
    assert rest["done"]


def test_what_a_server_answers_after_a_cancel_is_dropped_and_the_next_waits_for_the_server(workshop, held):
    before = len(workshop.models())
    job = workshop.submit()
    workshop.trains(job)
    workshop.cancel(job)
    assert workshop.ends(job, seconds=10)["status"] == "cancelled"
    following = workshop.submit()
    wait_until(lambda: "still trains" in workshop.job(following)["step"], MINUTE, "a wait for the server")
    held.set()
    assert workshop.ends(following)["status"] == "succeeded"
    assert workshop.job(job)["status"] == "cancelled"
    assert len(workshop.models()) == before + 1
    assert workshop.fake.most_training == 1


def test_a_message_that_comes_several_times_runs_the_job_once(workshop):
    workshop.control_plane.kill("training")
    job = workshop.submit()
    for _ in range(4):
        workshop.control_plane.run(SEND.format(job=job) + "assert queue.send(job)")
    workshop.fake.requests.clear()
    workshop.control_plane.start("training")
    assert workshop.ends(job)["status"] == "succeeded"
    time.sleep(2)
    assert [path for _, path, *_ in workshop.fake.requests].count("/model/train") == 1


def test_a_training_that_never_ends_is_stopped_at_its_limit(workshop, held):
    job = workshop.submit()
    workshop.trains(job)
    ended = workshop.ends(job, seconds=TIMEOUT + 20)
    assert (ended["status"], ended["error_code"]) == ("failed", "job-timed-out")


def test_a_broker_whose_files_are_deleted_loses_no_job(workshop):
    workshop.control_plane.kill("training")
    job = workshop.submit()
    shutil.rmtree(workshop.control_plane.home / "broker")
    workshop.control_plane.start("training")
    assert workshop.ends(job)["status"] == "succeeded"
    assert workshop.ends(workshop.submit())["status"] == "succeeded"


def test_of_a_cancel_while_no_worker_is_there_the_job_ends_all_the_same(workshop, held):
    job = workshop.submit()
    workshop.trains(job)
    workshop.control_plane.kill("training")
    workshop.cancel(job)
    assert workshop.ends(job)["status"] == "cancelled"
