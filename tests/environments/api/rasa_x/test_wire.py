"""Uploads and downloads over a real connection: cut, slow, in chunks, and large."""

import gzip
import io
import json
import socket
import tarfile
import time
import tracemalloc

import pytest

from accounts.actions import api_tokens
from environments import stores
from environments.api.limits import DOWNLOADS
from environments.models import TrainedModel
from tests import multipart
from tests.archives import file, folder, rasa_archive, rasa_metadata, sha256
from tests.sockets import TYPE, Wire, answer, length

URL = "/api/projects/default/models"
OTTER = rasa_archive("brisk-otter")
UPLOAD = multipart.upload("brisk-otter.tar.gz", OTTER, [("tags", "nightly")])


def noise(size):
    return b"".join(sha256(str(n).encode()).encode() for n in range(size // 64))


@pytest.fixture
def wire(live_server, ben, by_ben):
    _, token = api_tokens.create(user=ben, name="wire", by=by_ben)
    return Wire(live_server.thread.host, live_server.thread.port, token)


def nothing_kept(home):
    incoming = home / "archives" / "incoming"
    left = list(incoming.iterdir()) if incoming.exists() else []
    return not left and not TrainedModel.objects.exists() and not list(stores.models().hashes())


def soon(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_an_upload_without_a_length_is_refused(wire, home):
    with wire.open("POST", URL, TYPE, "Transfer-Encoding: chunked") as connection:
        status, _, body = answer(connection)
    assert (status, json.loads(body)["reason"]) == (411, "LengthRequired")
    assert nothing_kept(home)


def test_an_upload_that_is_cut_anywhere_leaves_nothing(wire, home):
    stages = [0, 20, UPLOAD.index(b"nightly"), UPLOAD.index(OTTER), UPLOAD.index(OTTER) + 100, len(UPLOAD) - 60]
    for stage in (*stages, len(UPLOAD) - 30, len(UPLOAD) - 1):
        with wire.open("POST", URL, TYPE, length(UPLOAD)) as connection:
            connection.sendall(UPLOAD[:stage])
            connection.shutdown(socket.SHUT_WR)
            status, _, body = answer(connection)
        assert (status, json.loads(body)["details"]["type"]) == (400, "/problems/upload-incomplete"), stage
        assert nothing_kept(home), stage


def test_a_client_that_vanishes_leaves_nothing(wire, home):
    incoming = home / "archives" / "incoming"
    body = multipart.upload("large.tar.gz", rasa_archive("large", payload=noise(4_000_000)))
    with wire.open("POST", URL, TYPE, length(body)) as connection:
        connection.sendall(body[: len(body) // 2])
        assert soon(incoming.exists)
    assert soon(lambda: nothing_kept(home))


def test_a_slow_drip_arrives(wire):
    with wire.open("POST", URL, TYPE, length(UPLOAD)) as connection:
        for start in range(0, len(UPLOAD), 40):
            connection.sendall(UPLOAD[start : start + 40])
            time.sleep(0.002)
        status, _, body = answer(connection)
    assert (status, json.loads(body)["tags"]) == (201, ["nightly"])


@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("cy", 404)])
def test_who_may_not_upload_hears_it_before_sending_a_byte(wire, cy, by_cy, who, status):
    token = "cpt_unknown" if who == "nobody" else api_tokens.create(user=cy, name="wire", by=by_cy)[1]
    with wire.open("POST", URL, TYPE, "Content-Length: 100000000", token=token) as connection:
        # No more than the first line: this server goes on to wait for the body.
        assert connection.recv(12) == f"HTTP/1.1 {status}".encode()


def test_a_refusal_is_heard_by_a_client_that_sends_on(wire):
    body = multipart.upload("../evil.tar.gz", OTTER * 2000)
    with wire.open("POST", URL, TYPE, length(body)) as connection:
        connection.sendall(body)
        status, _, refusal = answer(connection)
    assert (status, json.loads(refusal)["reason"]) == (400, "InvalidName")


@pytest.fixture
def stored(wire):
    with wire.open("POST", URL, TYPE, length(UPLOAD)) as connection:
        connection.sendall(UPLOAD)
        assert answer(connection)[0] == 201


@pytest.mark.parametrize("path", [f"{URL}/brisk-otter", f"{URL}/tags/nightly"])
def test_head_is_a_download_without_its_body(wire, stored, path):
    with wire.open("GET", path) as connection:
        status, headers, body = answer(connection)
    assert (status, body, headers["etag"]) == (200, OTTER, f'"{sha256(OTTER)}"')
    with wire.open("HEAD", path) as connection:
        status, without, body = answer(connection)
    assert (status, body) == (200, b"")
    same = ("etag", "filename", "content-length", "content-type", "accept-ranges", "cache-control")
    assert [without[name] for name in same] == [headers[name] for name in same]
    assert "content-encoding" not in headers


def test_a_client_that_goes_away_gives_its_slot_back(wire, home):
    # More than the buffers of a connection hold, so that the server is still sending.
    large = rasa_archive("large", payload=noise(8_000_000))
    body = multipart.upload("large.tar.gz", large)
    with wire.open("POST", URL, TYPE, length(body)) as connection:
        connection.sendall(body)
        assert answer(connection)[0] == 201
    with wire.open("GET", f"{URL}/large") as connection:
        connection.recv(1000)
        assert DOWNLOADS._taken == 1
    assert soon(lambda: DOWNLOADS._taken == 0)


def test_memory_stays_flat_however_large_the_upload(as_ben, project, tmp_path):
    size = 200_000_000
    path = tmp_path / "upload"
    with path.open("wb") as upload:
        upload.write(multipart.upload("large.tar.gz", b"").removesuffix(b"\r\n" + multipart.END))
        with (
            gzip.GzipFile(fileobj=upload, mode="wb", compresslevel=0, filename="") as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            metadata = json.dumps(rasa_metadata()).encode()
            tar.addfile(folder(""))
            tar.addfile(file("metadata.json", len(metadata)), io.BytesIO(metadata))
            with open("/dev/zero", "rb") as zeros:
                tar.addfile(file("components/large", size), zeros)
        upload.write(b"\r\n" + multipart.END)
    # What the first request of a process loads is not what an upload takes.
    as_ben.post(URL, UPLOAD, content_type=multipart.CONTENT_TYPE)
    with path.open("rb") as body:
        environ = {"wsgi.input": body, "CONTENT_LENGTH": str(path.stat().st_size)}
        tracemalloc.start()
        response = as_ben.post(URL, b"x", content_type=multipart.CONTENT_TYPE, **environ)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert response.status_code == 201
    assert response.json()["model"] == "large"
    assert TrainedModel.objects.get(name="large").size > size
    assert peak < 5_000_000
