"""The nightly scrub and the sweep hang on a disk that does not answer: jobs are tended all the same."""

import fcntl
import os

import pytest

from tests.archives import rasa_archive
from tests.fake_rasa import FakeRasa
from tests.live import ControlPlane, wait_until
from tests.projects import zipped

ENVIRONMENTS = "rasa: {production: {url: 'http://production.invalid:5005'}, worker: {url: '%s'}}\n"
START = "from controlplane.celery import app; [app.send_task(f'workers.{name}') for name in ('scrub', 'sweep')]"
BEGUN = "from environments.models import Slot; print(Slot.objects.filter(name__in=['scrub', 'sweep']).count())"


@pytest.fixture
def rasa():
    with FakeRasa() as fake:
        yield fake


@pytest.fixture
def control_plane(tmp_path, rasa):
    plane = ControlPlane(tmp_path, ENVIRONMENTS % rasa.url, parts=("web", "default", "beat"))
    yield plane
    plane.stop()


def test_a_disk_that_hangs_holds_the_scrub_and_the_sweep_and_no_job(control_plane):
    http, archives = control_plane.http, control_plane.home / "archives"
    files = {"model": ("brisk-otter.tar.gz", rasa_archive("brisk-otter"))}
    assert http.post("/api/projects/default/models", files=files).status_code == 201
    assert http.post("/api/v1/bundles/", files={"bundle": ("bundle.zip", zipped())}).status_code == 201
    # Whoever opens it waits for ever, as for a network file system that is gone.
    os.mkfifo(archives / ("0" * 64))
    # A leftover that the sweep is to remove, for which it waits for a lock.
    leftover = archives / ("1" * 64)
    leftover.write_bytes(b"left over")
    os.utime(leftover, (0, 0))
    with (archives / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        control_plane.run(START)
        wait_until(lambda: control_plane.run(BEGUN).strip() == "2", 180, "a scrub and a sweep")
        job = http.post("/api/v1/jobs/", json={"kind": "training"}).json()["id"]
        for message in (control_plane.home / "broker" / "messages" / "training").glob("*.msg"):
            message.unlink()
        wait_until(lambda: sent_again(control_plane.home), 60, "the lost message of a job again")
    assert leftover.exists()
    assert http.get(f"/api/v1/jobs/{job}/").json()["status"] == "queued"


def sent_again(home):
    return list((home / "broker" / "messages" / "training").glob("*.msg"))
