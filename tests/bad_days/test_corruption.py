"""The bytes of a stored archive change or go: they are never served, a Rasa server keeps its model, and it heals."""

import os

import httpx
import pytest

from tests import multipart
from tests.archives import rasa_archive, sha256
from tests.live import ControlPlane

URL = "/api/projects/default/models"
SCRUB = "from workers.tasks.storage import scrub; print(scrub())"
DAMAGES = "from accounts.models import AuditEvent; print(AuditEvent.objects.filter(action='model.damage').count())"


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    environments = "rasa: {production: {url: 'http://localhost:9', pull_interval: 2}}\n"
    plane = ControlPlane(
        tmp_path_factory.mktemp("corruption"), environments, variables={"RASA_X_TOKEN": "sesame-of-tests"}
    )
    yield plane
    plane.stop()


def upload(plane, name, **query):
    headers = {"Content-Type": multipart.CONTENT_TYPE}
    body = multipart.upload(f"{name}.tar.gz", rasa_archive(name))
    return plane.http.post(URL, content=body, headers=headers, params=query)


def poll(plane, etag):
    headers = {"Authorization": "Bearer sesame-of-tests", "If-None-Match": etag}
    return httpx.get(f"{plane.url}{URL}/tags/production", headers=headers, timeout=60)


def change_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def rot(path):
    """As bit rot does: size and times stay."""
    status = path.stat()
    change_a_byte(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def truncate(path):
    os.truncate(path, 100)


@pytest.mark.parametrize("spoil", [change_a_byte, truncate, rot])
def test_what_was_spoiled_is_never_served_and_heals_by_the_same_bytes(plane, spoil):
    name = f"spoiled-{spoil.__name__.replace('_', '-')}"
    assert upload(plane, name, tags="production").status_code in (200, 201)
    archive = plane.home / "archives" / sha256(rasa_archive(name))
    if spoil is not rot:
        assert poll(plane, "fresh").content == rasa_archive(name)
    before = int(plane.run(DAMAGES))
    spoil(archive)
    if spoil is rot:
        # What cannot be told without reading it is for the daily scrub, which runs in another process.
        assert int(plane.run(SCRUB)) == 1
    served = [poll(plane, "0" * 64) for _ in range(5)]
    assert all(answer.status_code in (304, 503) or answer.content != archive.read_bytes() for answer in served)
    assert poll(plane, "another-process").content != archive.read_bytes()
    assert plane.http.get(f"{URL}/{name}").status_code == 503
    assert int(plane.run(SCRUB)) == 0
    assert int(plane.run(DAMAGES)) == before + 1
    poll(plane, "0" * 64)
    reasons = plane.http.get("/api/v1/environments/production/").json()["reasons"]
    assert any(f"The stored archive of {name} is damaged" in reason for reason in reasons), reasons
    assert upload(plane, name).status_code == 200
    assert plane.http.get(f"{URL}/{name}").content == rasa_archive(name)
    assert not any(
        "damaged" in reason for reason in plane.http.get("/api/v1/environments/production/").json()["reasons"]
    )


def test_a_folder_that_is_not_mounted_marks_nothing_and_comes_back(plane):
    assert upload(plane, "brisk-otter", tags="production").status_code in (200, 201)
    before = int(plane.run(DAMAGES))
    archives, away = plane.home / "archives", plane.home / "unmounted"
    archives.rename(away)
    try:
        assert plane.http.get(f"{URL}/brisk-otter").status_code == 503
        assert poll(plane, sha256(rasa_archive("brisk-otter"))).status_code == 304
        assert int(plane.run(SCRUB)) == 0
    finally:
        away.rename(archives)
    assert int(plane.run(DAMAGES)) == before
    assert plane.http.get(f"{URL}/brisk-otter").content == rasa_archive("brisk-otter")


def test_a_folder_in_the_place_of_an_archive_is_not_served(plane):
    assert upload(plane, "calm-heron", tags="production").status_code in (200, 201)
    archive = plane.home / "archives" / sha256(rasa_archive("calm-heron"))
    archive.rename(plane.home / "aside")
    archive.mkdir()
    try:
        assert plane.http.get(f"{URL}/calm-heron").status_code == 503
        assert upload(plane, "calm-heron").status_code == 503
        assert int(plane.run(SCRUB)) == 0
    finally:
        archive.rmdir()
        (plane.home / "aside").rename(archive)
    assert plane.http.get(f"{URL}/calm-heron").content == rasa_archive("calm-heron")
