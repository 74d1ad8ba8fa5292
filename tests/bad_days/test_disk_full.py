"""The disk is full: uploads are refused with the reason, nothing of them stays, and all goes on when there is room."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import multipart
from tests.archives import rasa_archive
from tests.disks import as_root
from tests.fake_rasa import FakeRasa
from tests.live import ControlPlane
from tests.projects import zipped

MB = 1024**2
URL = "/api/projects/default/models"
SMALL = rasa_archive("calm-heron")
LARGE = rasa_archive("large", payload=os.urandom(4 * MB))
ENVIRONMENTS = "rasa: {production: {url: 'http://localhost:9'}}\n"


@pytest.fixture
def start():
    started = []

    def start(
        home: Path, environments: str = ENVIRONMENTS, parts: Sequence[str] = ("web",), **variables: str
    ) -> ControlPlane:
        variables = {"RASA_X_TOKEN": "sesame-of-tests", **variables}
        started.append(ControlPlane(home, environments, variables=variables, parts=parts))
        return started[-1]

    yield start
    for plane in started:
        plane.stop()


def upload(plane: ControlPlane, name: str, content: bytes, **query: str) -> httpx.Response:
    headers = {"Content-Type": multipart.CONTENT_TYPE}
    body = multipart.upload(f"{name}.tar.gz", content)
    return plane.http.post(URL, content=body, headers=headers, params=query)


def fill(disk: Path, *, leave: int) -> Path:
    """Take all room but `leave` bytes."""
    path = disk / "filling"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(64 * 1024))
        except OSError:
            file.truncate(max(0, file.tell() - leave))
    return path


def poll(plane: ControlPlane, etag: str) -> httpx.Response:
    headers = {"Authorization": "Bearer sesame-of-tests", "If-None-Match": etag}
    return httpx.get(f"{plane.url}{URL}/tags/production", headers=headers, timeout=60)


def leftovers(home: Path) -> list[Path]:
    return [*home.glob("archives/incoming/*"), *home.glob("bundles/incoming/*"), *home.glob("spool/*")]


def test_an_upload_to_a_full_disk_is_refused_and_goes_on_when_there_is_room(start, small_disk, tmp_path):
    plane = start(small_disk, DATABASE_URL=f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}")
    assert upload(plane, "calm-heron", SMALL, tags="production").status_code == 201
    stored = sorted((small_disk / "archives").iterdir())
    filling = fill(small_disk, leave=MB)
    for _ in range(3):
        refused = upload(plane, "large", LARGE)
        assert (refused.status_code, refused.json()["details"]["type"]) == (507, "/problems/storage-full")
        assert "no space left" in refused.json()["message"]
        assert leftovers(small_disk) == []
        assert sorted((small_disk / "archives").iterdir()) == stored
    assert [item["model"] for item in plane.http.get(URL).json()] == ["calm-heron"]
    assert poll(plane, "fresh").content == SMALL
    filling.unlink()
    assert upload(plane, "large", LARGE).status_code == 201


def train(plane: ControlPlane) -> dict[str, Any]:
    """The job of a training, when it has ended."""
    job = plane.http.post("/api/v1/jobs/", json={"kind": "training"})
    assert job.status_code == 201, job.text
    return plane.http.get(f"/api/v1/jobs/{job.json()['id']}/", params={"wait": 60}).json()


def test_a_training_that_finds_the_disk_full_ends_with_the_reason_and_the_next_goes_on(start, small_disk, tmp_path):
    with FakeRasa() as fake:
        fake.archive = LARGE
        plane = start(
            small_disk,
            f"rasa: {{production: {{url: 'http://localhost:9'}}, worker: {{url: '{fake.url}'}}}}\n",
            parts=("web", "training"),
            DATABASE_URL=f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}",
        )
        assert plane.http.post("/api/v1/bundles/", files={"bundle": ("bundle.zip", zipped())}).status_code == 201
        filling = fill(small_disk, leave=MB)
        ended = train(plane)
        assert (ended["status"], ended["error_code"]) == ("errored", "storage-full")
        assert leftovers(small_disk) == []
        assert plane.http.get(URL).json() == []
        filling.unlink()
        assert train(plane)["status"] == "succeeded"


def test_with_the_database_on_the_full_disk_nothing_moves_and_polls_are_answered(start, small_disk):
    plane = start(small_disk)
    assert upload(plane, "calm-heron", SMALL, tags="production").status_code == 201
    assert upload(plane, "brisk-otter", rasa_archive("brisk-otter")).status_code == 201
    etag = poll(plane, "fresh").headers["ETag"]
    assert poll(plane, etag).status_code == 304
    filling = fill(small_disk, leave=0)
    promotions = "/api/v1/environments/production/promotions/"
    for _ in range(5):
        assert poll(plane, etag).status_code == 304
    refused = plane.http.post(promotions, json={"model": "brisk-otter"})
    assert refused.status_code == 503
    assert refused.headers["Content-Type"] == "application/problem+json"
    filling.unlink()
    assert plane.http.get("/api/v1/environments/production/").json()["model"]["name"] == "calm-heron"
    assert len(plane.http.get(promotions).json()["results"]) == 1
    assert plane.http.post(promotions, json={"model": "brisk-otter"}).status_code == 201
    assert poll(plane, etag).status_code == 200


def test_a_read_only_disk_is_told_and_serves_on(start, small_disk, tmp_path):
    plane = start(small_disk, DATABASE_URL=f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}")
    assert upload(plane, "calm-heron", SMALL, tags="production").status_code == 201
    archives = str(small_disk / "archives")
    assert as_root("mount", "--bind", archives, archives)
    assert as_root("mount", "-o", "remount,bind,ro", archives)
    refused = upload(plane, "large", LARGE)
    assert (refused.status_code, refused.json()["details"]["type"]) == (503, "/problems/storage-unusable")
    assert poll(plane, "fresh").content == SMALL
    assert as_root("umount", archives)
    assert upload(plane, "large", LARGE).status_code == 201
