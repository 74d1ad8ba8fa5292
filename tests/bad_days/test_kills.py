"""`kill -9` of any process, at any moment of uploads, promotions and trainings: what was promised is there, nothing is
half visible, nothing is left lying about, and what was begun is taken up again or ends with its reason."""

import hashlib
import itertools
import json
import os
import random
import signal
import sqlite3
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests import live
from tests.archives import rasa_archive
from tests.fake_rasa import FakeRasa
from tests.projects import zipped
from tests.repeats import times
from tests.up import Up

PARTS = ("web", "training", "default", "beat")
# Where the work is, kills hurt more.
WEIGHTS = (4, 3, 2, 1)
DECLARATION = """
rasa:
  production:
    url: http://127.0.0.1:9
  experimental:
    url: http://127.0.0.1:10
  worker:
    url: {worker}
"""
SETTLED_WITHIN = 60
MOST_OPEN_JOBS = 3
# What the home holds besides logs and the database's own files.
HOME = {
    *("archives", "broker", "bundles", "spool"),
    *("environments.yml", "generated.env", "initial-admin-password", "prepare.lock", "secret-key"),
}
# What a folder of archives or bundles holds besides them: the two locks are of uploads and of backups.
BESIDE_FILES = {"incoming", "lock", "held"}

STATE = """
import json
from accounts.models import AuditEvent
from environments.models import Bundle, Environment, Job, Promotion, Tag, TrainedModel
changes = AuditEvent.objects.filter(action__in=["environment.promote", "environment.rollback"]).order_by("pk")
print(json.dumps({
    "environments": list(Environment.objects.values_list("name", flat=True)),
    "tags": dict(Tag.objects.values_list("name", "model__name")),
    "promotions": list(Promotion.objects.order_by("pk").values(
        "pk", "environment__name", "model__name", "previous_model__name")),
    "audited": [[event.after["promotion"], event.object, event.before["model"], event.after["model"]]
        for event in changes],
    "jobs": list(Job.objects.values("pk", "status", "attempts", "error_code", "error_detail", "result", "model_name")),
    "models": list(TrainedModel.objects.values("pk", "name", "hash", "job")),
    "bundles": list(Bundle.objects.values_list("hash", flat=True)),
}))
"""
SWEEP = """
from datetime import timedelta
from django.conf import settings
from controlplane import broker
from workers.tasks.storage import sweep
sweep(older_than=timedelta(0))
broker.clear_leftovers(settings.BROKER_FOLDER)
"""


class Clients:
    """They upload, promote and train all the time, and keep what they were promised. A broken request is repeated."""

    def __init__(self, control_plane: live.ControlPlane) -> None:
        self.control_plane = control_plane
        self.uploaded: dict[str, str] = {}
        self.promoted: dict[int, tuple[str, str]] = {}
        self.submitted: list[str] = []
        self.broken: Counter[str] = Counter()
        self.refused: list[str] = []
        self._ending = threading.Event()
        works = (self._upload, self._promote, self._train)
        pool = ThreadPoolExecutor(len(works))
        self._ends = [pool.submit(self._work, work) for work in works]
        pool.shutdown(wait=False)

    def stop(self) -> None:
        self._ending.set()
        for end in self._ends:
            end.result(timeout=120)

    def _work(self, work) -> None:
        with self.control_plane.client() as http:
            for number in itertools.count():
                work(http, number)
                if self._ending.wait(random.uniform(0, 0.3)):
                    return

    def _ask(self, http, method, path, **request) -> httpx.Response:
        """The answer to the request, which is repeated until there is one."""
        while True:
            with suppress(httpx.TransportError):
                answer = http.request(method, path, **request)
                if answer.status_code < 500:
                    return answer
                self.refused.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            self.broken[method + " " + path.rstrip("/").rpartition("/")[2]] += 1
            time.sleep(0.1)

    def _upload(self, http, number) -> None:
        name = f"upload-{number}"
        # A part that does not compress, so that the transfer takes a moment.
        archive = rasa_archive(name, payload=os.urandom(200_000))
        files = {"model": (f"{name}.tar.gz", archive, "application/gzip")}
        answer = self._ask(http, "POST", "/api/projects/default/models", files=files)
        assert answer.status_code in (200, 201), answer.text
        self.uploaded[name] = hashlib.sha256(archive).hexdigest()

    def _promote(self, http, number) -> None:
        if not self.uploaded:
            return
        environment = ("production", "experimental")[number % 2]
        model = random.choice(list(self.uploaded))
        answer = self._ask(http, "POST", f"/api/v1/environments/{environment}/promotions/", json={"model": model})
        assert answer.status_code in (200, 201), answer.text
        if answer.status_code == 201:
            self.promoted[int(answer.json()["id"])] = (environment, model)

    def _train(self, http, number) -> None:
        jobs = self._ask(http, "GET", "/api/v1/jobs/", params={"limit": MOST_OPEN_JOBS * 2}).json()["results"]
        if sum(job["finished_at"] is None for job in jobs) >= MOST_OPEN_JOBS:
            return
        body = {"kind": "training", "model_name": f"trained-{uuid.uuid4().hex[:8]}", "tags": ["experimental", "fresh"]}
        answer = self._ask(http, "POST", "/api/v1/jobs/", json=body)
        if answer.status_code == 201:
            self.submitted.append(answer.json()["id"])
        else:
            # It was taken before the answer broke off.
            assert "is reserved by" in answer.text or "another model named" in answer.text, answer.text


@pytest.fixture
def fake_rasa():
    with FakeRasa(train_seconds=0.3, always_new=True) as fake:
        yield fake


@pytest.fixture
def start(tmp_path, fake_rasa):
    """Start an installation with every part, and a bundle to train from."""
    started = []

    def start(**variables: str) -> live.ControlPlane:
        declaration = DECLARATION.format(worker=fake_rasa.url)
        started.append(live.ControlPlane(tmp_path, declaration, variables=variables, parts=PARTS))
        files = {"bundle": ("bundle.zip", zipped(), "application/zip")}
        assert started[0].http.post("/api/v1/bundles/", files=files).status_code == 201
        return started[0]

    yield start
    for control_plane in started:
        control_plane.stop()


def restart(control_plane: live.ControlPlane, part: str) -> None:
    """Start the part and wait until it works."""
    log = control_plane.home / f"{part}.log"
    begun = log.stat().st_size
    control_plane.start(part)
    if part in ("training", "default"):
        live.wait_until(lambda: b"ready." in log.read_bytes()[begun:], 60, f"a start of {part}")


def kill_at_random(control_plane: live.ControlPlane, kills: int) -> Counter[str]:
    killed: Counter[str] = Counter()
    with ThreadPoolExecutor() as pool:
        while killed.total() < kills:
            time.sleep(random.uniform(0, 1.5))
            victims = set(random.choices(PARTS, WEIGHTS, k=random.randint(1, len(PARTS))))
            for part in victims:
                control_plane.kill(part)
            killed.update(victims)
            list(pool.map(lambda part: restart(control_plane, part), victims))
    return killed


def open_jobs(control_plane: live.ControlPlane) -> list[str]:
    jobs = control_plane.http.get("/api/v1/jobs/", params={"limit": 500}).json()["results"]
    return [job["id"] for job in jobs if job["finished_at"] is None]


def assert_models_are_whole(control_plane: live.ControlPlane, clients: Clients) -> None:
    listed = control_plane.http.get("/api/projects/default/models").json()
    hashes = {model["model"]: model["hash"] for model in listed}
    assert clients.uploaded.items() <= hashes.items()
    for name, sha256 in hashes.items():
        download = control_plane.http.get(f"/api/projects/default/models/{name}")
        assert (download.status_code, hashlib.sha256(download.content).hexdigest()) == (200, sha256)


def assert_history_is_unbroken(state: dict, clients: Clients) -> None:
    last: dict[str, str | None] = {}
    for promotion in state["promotions"]:
        environment = promotion["environment__name"]
        assert promotion["previous_model__name"] == last.get(environment)
        last[environment] = promotion["model__name"]
    assert {name: model for name, model in state["tags"].items() if name in state["environments"]} == last
    told = [
        [row["pk"], f"environment:{row['environment__name']}", row["previous_model__name"], row["model__name"]]
        for row in state["promotions"]
    ]
    assert state["audited"] == told
    kept = {row["pk"]: (row["environment__name"], row["model__name"]) for row in state["promotions"]}
    assert clients.promoted.items() <= kept.items()


def assert_jobs_ended_once(state: dict, clients: Clients) -> None:
    assert set(clients.submitted) <= {str(job["pk"]) for job in state["jobs"]}
    made = Counter(model["job"] for model in state["models"] if model["job"])
    for job in state["jobs"]:
        if job["status"] == "succeeded":
            assert job["result"] in [model["pk"] for model in state["models"] if model["job"] == job["pk"]]
        else:
            # Killed again in each of its runs.
            assert (job["status"], job["error_code"]) == ("errored", "worker-lost"), job
        assert made[job["pk"]] == (job["status"] == "succeeded")


def assert_nothing_lies_about(control_plane: live.ControlPlane, state: dict) -> None:
    control_plane.run(SWEEP)
    home = control_plane.home
    assert set(os.listdir(home / "archives")) <= {model["hash"] for model in state["models"]} | BESIDE_FILES
    assert set(os.listdir(home / "bundles")) <= set(state["bundles"]) | BESIDE_FILES
    places = ("archives/incoming", "bundles/incoming", "spool", "broker/processed")
    assert [path for place in places for path in (home / place).glob("*")] == []
    assert list(home.glob("broker/**/.*.tmp")) == []
    assert {path.name for path in home.iterdir() if path.suffix != ".log" and "sqlite3" not in path.name} <= HOME


def killed_and_looked_at(control_plane: live.ControlPlane, kills: int) -> None:
    clients = Clients(control_plane)
    try:
        killed = kill_at_random(control_plane, kills)
    finally:
        clients.stop()
    live.wait_until(lambda: not open_jobs(control_plane), SETTLED_WITHIN, "an end of every job")
    state = json.loads(control_plane.run(STATE))
    ends = Counter(f"{job['status']} in run {job['attempts']}" for job in state["jobs"])
    print(f"killed: {dict(killed)}; uploads: {len(clients.uploaded)}; promotions: {len(state['promotions'])}; ")  # noqa: T201
    print(f"jobs: {dict(ends)}; broken requests: {dict(clients.broken)}")  # noqa: T201
    assert clients.refused == []
    assert_models_are_whole(control_plane, clients)
    assert_history_is_unbroken(state, clients)
    assert_jobs_ended_once(state, clients)
    for part in PARTS:
        assert "Traceback" not in control_plane.log(part)
    for part in PARTS:
        control_plane.kill(part)
    assert_nothing_lies_about(control_plane, state)


@pytest.mark.nightly
def test_whatever_is_killed_what_was_promised_is_there_and_no_more(start):
    killed_and_looked_at(start(), times(8, nightly=200))


@pytest.mark.nightly
@pytest.mark.postgresql
@pytest.mark.redis
def test_so_it_is_on_postgresql_with_redis(start, postgresql, redis):
    control_plane = start(DATABASE_URL=postgresql.url, BROKER_URL=redis.url, CACHE_URL=redis.url)
    killed_and_looked_at(control_plane, times(3, nightly=40))


# Under the supervisor


@pytest.fixture
def up(tmp_path):
    up = Up(tmp_path)
    up.start()
    yield up
    up.end(signal.SIGINT)


def children_of(process: int) -> list[int]:
    found: list[int] = []
    # It may end meanwhile.
    with suppress(OSError):
        for tasks in Path(f"/proc/{process}/task").glob("*/children"):
            found += map(int, tasks.read_text().split())
    return found


def generation(process: int, number: int) -> list[int]:
    """1: what the supervisor started, 2: the programs themselves, 3: what these started."""
    processes = [process]
    for _ in range(number):
        processes = [child for parent in processes for child in children_of(parent)]
    return processes


def beats(up: Up) -> str:
    """The slot of a step that beat asks for and a worker runs; another one after each time."""
    with closing(sqlite3.connect(up.home / "db.sqlite3")) as database:
        found = database.execute("SELECT due_at FROM environments_slot WHERE name = 'send-lost-jobs'").fetchone()
    return found[0] if found else ""


def test_what_is_killed_under_up_is_started_again_and_works(up):
    live.wait_until(lambda: beats(up), 30, "a step of beat")
    for number in (1, 2, 3):
        starts, beat, killed = up.log().count("ready."), beats(up), generation(up.process.pid, number)
        assert len(killed) >= (1 if number == 3 else len(PARTS) + 1)
        for process in killed:
            os.kill(process, signal.SIGKILL)
        workers = starts + (0 if number == 3 else 3)
        live.wait_until(partial(has_others, up, number, killed), 60, "a start of all that was killed")
        live.wait_until(lambda workers=workers: up.log().count("ready.") >= workers, 60, "a start of the workers")
        live.wait_until(lambda: live.answers(f"{up.url}/healthz"), 60, "an answer")
        live.wait_until(lambda beat=beat: beats(up) > beat, 60, "a step of beat")
    assert up.process.poll() is None


def has_others(up: Up, number: int, killed: list[int]) -> bool:
    running = generation(up.process.pid, number)
    return len(running) >= len(killed) and not set(running) & set(killed)
