"""An upgrade without a gap: the version before goes on with a database that has more in it, a new one waits for a
database that has less, and neither stumbles over the other's messages."""

import threading
import time
from pathlib import Path

import httpx
import pytest

from tests import live
from tests.bad_days.conftest import database
from tests.fake_rasa import FakeRasa
from tests.live import wait_until
from tests.polling import INSTALLATION_TOKEN, INTERVAL, Polling, Stage
from tests.projects import zipped

pytestmark = pytest.mark.postgresql

ENVIRONMENTS = "rasa: {production: {url: 'http://production.invalid:5005'}, worker: {url: '%s'}}\n"
# As migrations of a later version: every table has a column more that this code knows nothing of, table by table.
UPGRADE = """
from django.apps import apps
from django.db import connection, models
from django.db.migrations.recorder import MigrationRecorder
for model in apps.get_models(include_auto_created=True):
    field = models.CharField(max_length=20, db_default="later")
    field.set_attributes_from_name("of_a_later_version")
    field.model = model
    with connection.schema_editor() as editor:
        editor.add_field(model, field)
MigrationRecorder(connection).record_applied("environments", "9999_of_a_later_version")
"""
# As before the newest migration of this version.
NEWEST = """
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
[newest] = [name for app, name in MigrationLoader(None).graph.leaf_nodes() if app == "environments"]
MigrationRecorder(connection).{record}("environments", newest)
"""
# What a health check sees of a worker that waits: a restart would mend nothing.
WAITS = "from controlplane import waits; print(waits.are_noted(), end='')"
# Of a version that has a task which this one has not, and hands another one more than this one takes.
MESSAGES = """
from controlplane.celery import app
app.send_task("workers.of_a_later_version", [1], queue="training")
app.send_task("workers.train", [{job}, "more"], queue="training")
app.send_task("workers.train", [{job}], {{"more": True}}, queue="training")
"""


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory):
    with database() as url, FakeRasa(always_new=True) as rasa:
        home = tmp_path_factory.mktemp("home")
        variables = {"DATABASE_URL": url, "RASA_X_TOKEN": INSTALLATION_TOKEN}
        parts = ("web", "training", "default", "beat")
        plane = live.ControlPlane(home, ENVIRONMENTS % rasa.url, variables=variables, parts=parts)
        sent = plane.http.post("/api/v1/bundles/", files={"bundle": ("bundle.zip", zipped())})
        assert sent.status_code == 201, sent.text
        yield plane
        plane.stop()


def submit(plane):
    response = plane.http.post("/api/v1/jobs/", json={"kind": "training"})
    assert response.status_code == 201, response.text
    return response.json()["id"]


def end_of(plane, job):
    return plane.http.get(f"/api/v1/jobs/{job}/", params={"wait": 90}).json()["status"]


def ready(plane, web):
    response = httpx.get(f"http://127.0.0.1:{plane.ports[web]}/readyz", timeout=30)
    return response.status_code, response.json()["instance"]


class Promoting:
    """One model and the other, as long as the block lasts."""

    def __init__(self, stage):
        self.stage, self.statuses, self.over = stage, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.wait(0.1):
            body = {"model": f"{self.stage.name}-{('otter', 'heron')[len(self.statuses) % 2]}"}
            answer = self.stage.clients[0].post(f"{self.stage.path}promotions/", json=body)
            self.statuses.append(answer.status_code)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        self.thread.join()


def test_the_version_before_goes_on_while_and_after_the_database_gets_more(control_plane):
    stage = Stage.begin(control_plane, 2)
    with Polling(stage.replicas, INTERVAL / 10), Promoting(stage) as promoting:
        job = submit(control_plane)
        control_plane.run(UPGRADE)
        assert end_of(control_plane, job) == "succeeded"
        done = len(promoting.statuses)
        wait_until(lambda: len(promoting.statuses) > done + 5, 60, "promotions after it")
    assert set(promoting.statuses) <= {200, 201}
    assert {answer.status for replica in stage.replicas for answer in replica.answers} <= {200, 304}
    stage.upload("stork")
    last = stage.promote("stork")
    for replica in stage.replicas:
        replica.load()
    assert stage.promotion(last)["status"] == "succeeded"
    # One that is started again is of that version, too: a machine failed on the way, or the upgrade is taken back.
    control_plane.manage("prepare")
    for part in ("web", "training"):
        control_plane.kill(part)
        control_plane.start(part)
    assert ready(control_plane, "web") == (200, "ok")
    assert end_of(control_plane, submit(control_plane)) == "succeeded"


def test_a_new_version_before_the_database_is_prepared_says_so_waits_and_goes_on_by_itself(control_plane):
    control_plane.run(NEWEST.format(record="record_unapplied"))
    try:
        web, worker = (control_plane.start(part) for part in ("web-2", "default-2"))
        assert ready(control_plane, "web-2") == (503, "schema-behind")
        wait_until(lambda: "manage.py prepare" in control_plane.log("default-2"), 60, "a worker that says why it waits")
        answer = httpx.get(f"http://127.0.0.1:{control_plane.ports['web-2']}/api/v1/models/", timeout=30)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/schema-behind")
        assert "manage.py prepare" in answer.json()["detail"]
        assert control_plane.run(WAITS) == "True"
        time.sleep(3)
        assert [process.process.poll() for process in (web, worker)] == [None, None]
        assert ready(control_plane, "web") == (200, "ok")
    finally:
        control_plane.run(NEWEST.format(record="record_applied"))
    wait_until(lambda: ready(control_plane, "web-2") == (200, "ok"), 30, "one that is ready by itself")
    wait_until(lambda: "is over" in control_plane.log("default-2"), 30, "a worker that goes on by itself")
    wait_until(lambda: control_plane.run(WAITS) == "False", 30, "its word that it waits, taken back")
    assert control_plane.log("web-2").count("The database lacks") == 1
    for part in ("web-2", "default-2"):
        control_plane.kill(part)


def test_messages_of_a_later_version_stop_no_worker_and_lose_no_job(control_plane):
    control_plane.kill("training")
    job = submit(control_plane)
    for message in Path(control_plane.home / "broker" / "messages" / "training").glob("*.msg"):
        message.unlink()
    control_plane.run(MESSAGES.format(job=job))
    control_plane.start("training")
    assert end_of(control_plane, job) == "succeeded"
    assert end_of(control_plane, submit(control_plane)) == "succeeded"
