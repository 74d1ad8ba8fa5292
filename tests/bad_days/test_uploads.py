"""Broken and hostile uploads over real connections to the real web server: nothing of them stays."""

import contextlib
import io
import json
import os
import secrets
import socket
import struct
import tarfile
import time
from pathlib import Path

import httpx
import pytest

from tests import multipart
from tests.archives import file, folder, gzipped, rasa_archive, rasa_metadata
from tests.environments.archives.test_bombs import MB, long_name, pax_header, zip_directory
from tests.environments.archives.test_refused import TAR
from tests.live import ControlPlane, wait_until
from tests.repeats import times
from tests.sockets import TYPE, Wire, answer, length

URL = "/api/projects/default/models"
OTTER = rasa_archive("brisk-otter", payload=os.urandom(300_000))
UPLOAD = multipart.upload("brisk-otter.tar.gz", OTTER, [("tags", "nightly")])
SMALL = rasa_archive("calm-heron")
# One slot of each kind: whatever does not give its slot back is noticed by the next.
VARIABLES = {
    "MAX_UPLOADS": "1",
    "MAX_DOWNLOADS": "1",
}


class Target:
    """A control plane, its bytes on disk, and its web worker's memory."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.wire = Wire("127.0.0.1", plane.ports["web"], plane.token)

    def kept(self) -> dict[str, list[str]]:
        """What is listed, and every file that an upload may have left."""
        home = self.plane.home
        listed = self.plane.http.get(URL).json()
        return {
            "listed": sorted(item["model"] for item in listed),
            **{
                name: sorted(
                    path.name for path in (home / name).glob("*") if path.name not in ("incoming", "lock", "held")
                )
                for name in ("archives", "archives/incoming", "bundles", "bundles/incoming", "spool")
            },
        }

    def upload(self, filename: str, content: bytes, **query: str) -> httpx.Response:
        """An honest one, which waits for the slot as its refusal tells it to."""
        body = multipart.upload(filename, content)
        deadline = time.monotonic() + 20
        while True:
            headers = {"Content-Type": multipart.CONTENT_TYPE}
            response = self.plane.http.post(URL, content=body, headers=headers, params=query)
            if response.status_code != 503 or time.monotonic() > deadline:
                return response
            time.sleep(0.1)

    def send(self, body: bytes, *headers: str, ends: bool = False) -> tuple[int, dict[str, str], bytes]:
        """`ends`: say that nothing more will come, for a server that waits for more."""
        with self.wire.open("POST", URL, *(headers or (TYPE, length(body)))) as connection:
            # It may have answered and hung up already.
            with contextlib.suppress(OSError):
                connection.sendall(body)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
            return answer(connection)

    def worker(self) -> Path:
        """Of the processes below the supervisor's launcher, the one without children serves."""
        pid = self.plane.running["web"].process.pid
        while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            pid = int(children[0])
        return Path(f"/proc/{pid}")

    @contextlib.contextmanager
    def memory_grows_by_less_than(self, most: int):
        worker = self.worker()
        (worker / "clear_refs").write_text("5")  # the peak is counted from now
        before = memory(worker, "VmRSS")
        yield
        grown = memory(worker, "VmHWM") - before
        assert grown < most, f"{grown / MB:.0f} MB"


def memory(process: Path, kind: str) -> int:
    (line,) = [line for line in (process / "status").read_text().splitlines() if line.startswith(kind)]
    return int(line.split()[1]) * 1024


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    plane = ControlPlane(
        tmp_path_factory.mktemp("uploads"),
        "rasa: {production: {url: 'http://localhost:9'}}\n",
        variables=VARIABLES,
    )
    target = Target(plane)
    # What the first request loads is not what an upload takes.
    assert target.upload("calm-heron.tar.gz", SMALL, tags="production").status_code == 201
    yield target
    plane.stop()


@pytest.fixture(autouse=True)
def nothing_stays(target):
    """After every test here: no file, no row, no slot."""
    before = target.kept()
    yield
    wait_until(lambda: target.kept() == before, 10, f"the disappearance of {target.kept()}, which was {before},")
    # The slot is free again: the same model once more is no news.
    assert target.upload("calm-heron.tar.gz", SMALL).status_code == 200
    assert "Traceback" not in target.plane.log("web")


def hang_up(connection: socket.socket) -> None:
    """As a machine that loses its network, or a process that is killed: no goodbye."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


STAGES = {
    "before the first byte": 0,
    "in the boundary": 5,
    "in the head of a part": 40,
    "in a form field": UPLOAD.index(b"nightly") + 3,
    "in the head of the file": UPLOAD.index(b"brisk-otter.tar.gz"),
    "before the file": UPLOAD.index(OTTER),
    "in the file": UPLOAD.index(OTTER) + 150_000,
    "after the file": UPLOAD.index(OTTER) + len(OTTER),
    "in the last boundary": len(UPLOAD) - 6,
    "before the last byte": len(UPLOAD) - 1,
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_connection_that_is_cut_at_any_stage_leaves_nothing(target, stage):
    with target.wire.open("POST", URL, TYPE, length(UPLOAD)) as connection:
        connection.sendall(UPLOAD[: STAGES[stage]])
        connection.shutdown(socket.SHUT_WR)
        status, _, body = answer(connection)
    assert (status, json.loads(body)["details"]["type"]) == (400, "/problems/upload-incomplete")
    with target.wire.open("POST", URL, TYPE, length(UPLOAD)) as connection:
        connection.sendall(UPLOAD[: STAGES[stage]])
        hang_up(connection)


@pytest.mark.nightly
def test_a_connection_that_is_cut_anywhere_leaves_nothing(target):
    for _ in range(times(20, nightly=2000)):
        with target.wire.open("POST", URL, TYPE, length(UPLOAD)) as connection:
            connection.sendall(UPLOAD[: secrets.randbelow(len(UPLOAD))])
            secrets.choice([hang_up, socket.socket.close])(connection)


@pytest.mark.parametrize("end", [10, 60, 100])
def test_a_connection_that_is_cut_in_the_head_of_the_request_leaves_nothing(target, end):
    head = f"POST {URL} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {target.plane.token}\r\n".encode()
    with target.wire.connect() as connection:
        connection.sendall(head[:end])
        hang_up(connection)


def test_a_client_that_does_not_wait_for_the_answer_leaves_all_or_nothing(target):
    """The bytes were complete: storing them is right. What counts is that bytes, row and tag come together."""
    before = target.kept()
    with target.wire.open("POST", URL, TYPE, length(UPLOAD)) as connection:
        connection.sendall(UPLOAD)
        hang_up(connection)
    target.upload("calm-heron.tar.gz", SMALL)  # it waited for the slot, so the other one is over
    after = target.kept()
    assert len(after["archives"]) == len(after["listed"])
    assert after["archives/incoming"] == after["spool"] == []
    if after["listed"] != before["listed"]:
        assert target.plane.http.get(f"{URL}/tags/nightly").content == OTTER
        assert target.plane.http.delete(f"{URL}/brisk-otter").status_code == 204
        # The sweep takes the bytes an hour later; nobody waits for it here.
        for name in set(after["archives"]) - set(before["archives"]):
            (target.plane.home / "archives" / name).unlink()


LENGTHS = {
    "none": [],
    "empty": ["Content-Length:"],
    "negative": ["Content-Length: -1"],
    "no number": ["Content-Length: many"],
    "with a sign": ["Content-Length: +100"],
    "hexadecimal": ["Content-Length: 0x10"],
    "with a fraction": ["Content-Length: 1.5"],
    "two that differ": [length(UPLOAD), "Content-Length: 5"],
    "a list": [f"Content-Length: {len(UPLOAD)}, 5"],
    "beyond the limit": ["Content-Length: 99999999999"],
    "beyond all numbers": ["Content-Length: " + "9" * 40],
    "too long": [f"Content-Length: {len(UPLOAD) + 1}"],
    "too short": [f"Content-Length: {len(UPLOAD) - 10}"],
    "nothing": ["Content-Length: 0"],
    "chunked": ["Transfer-Encoding: chunked"],
    "chunked and a length": ["Transfer-Encoding: chunked", length(UPLOAD)],
    "another coding": ["Transfer-Encoding: gzip", length(UPLOAD)],
}


@pytest.mark.parametrize("case", LENGTHS)
def test_a_length_that_is_not_the_bodys_is_refused(target, case):
    status, _, _ = target.send(UPLOAD, TYPE, *LENGTHS[case], ends=case == "too long")
    assert 400 <= status < 500


def test_an_upload_in_chunks_is_refused_with_the_cure(target):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (UPLOAD[:1000], UPLOAD[1000:])) + b"0\r\n\r\n"
    status, _, body = target.send(chunks, TYPE, "Transfer-Encoding: chunked")
    assert (status, json.loads(body)["reason"]) == (411, "LengthRequired")


def test_what_follows_the_announced_length_is_no_request(target):
    """A second request hidden behind a body must not be run with the first one's connection."""
    body = multipart.upload("../evil.tar.gz", SMALL)
    hidden = f"DELETE {URL}/calm-heron HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with target.wire.open("POST", URL, TYPE, length(body)) as connection:
        connection.sendall(body + hidden)
        status, _, said = answer(connection)
    assert status == 400
    assert said.count(b"HTTP/1.1") == 0


BOUNDARIES = {
    "none": "multipart/form-data",
    "empty": "multipart/form-data; boundary=",
    "another": "multipart/form-data; boundary=elsewhere",
    "endless": "multipart/form-data; boundary=" + "x" * 5000,
    "with a line end": 'multipart/form-data; boundary="a\\r\\nb"',
    "not ASCII": "multipart/form-data; boundary=bøundary",
    "twice": "multipart/form-data; boundary=one; boundary=two",
    "an open quote": 'multipart/form-data; boundary="cut-here',
    "another kind": "multipart/mixed; boundary=cut-here",
    "no multipart": "application/gzip",
    "nothing": "",
}


@pytest.mark.parametrize("case", BOUNDARIES)
def test_a_boundary_that_is_not_the_bodys_is_refused(target, case):
    with target.wire.connect() as connection:
        head = f"POST {URL} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length(UPLOAD)}\r\n"
        head += f"Authorization: Bearer {target.plane.token}\r\nContent-Type: {BOUNDARIES[case]}\r\n\r\n"
        connection.sendall(head.encode() + UPLOAD)
        status, _, _ = answer(connection)
    assert 400 <= status < 500


MODEL = multipart.file("model", "m.tar.gz", SMALL)
NESTED = b"--inner\r\nContent-Disposition: form-data; name=model; filename=m.tar.gz\r\n\r\n" + SMALL + b"\r\n--inner--"
BODIES = {
    "empty": b"",
    "no part": multipart.END,
    "no file": multipart.body(multipart.field("tags", "nightly")),
    "two files": multipart.body(MODEL, multipart.file("model", "n.tar.gz", OTTER)),
    "the same file twice": multipart.body(MODEL, MODEL),
    "a field of its name": multipart.body(multipart.field("model", "x"), MODEL),
    "a field after it": multipart.body(MODEL, multipart.field("tags", "nightly")),
    "a file of another name before it": multipart.body(multipart.file("other", "o.tar.gz", SMALL), MODEL),
    "a hundred fields": multipart.body(*[multipart.field(f"f{number}", "x") for number in range(101)], MODEL),
    "a field without end": multipart.body(multipart.field("tags", "x" * 100_000), MODEL),
    "a head without end": multipart.body(multipart.part('name="model"; filename="m"\r\nX: ' + "x" * 100_000, SMALL)),
    "a head of many lines": multipart.body(multipart.part('name="model"; filename="m"' + "\r\nX: x" * 1000, SMALL)),
    "no disposition": b"--cut-here\r\nContent-Type: text/plain\r\n\r\nx\r\n" + multipart.END,
    "nested": multipart.body(
        multipart.part(b'name="model"; filename="m.tar.gz"\r\nContent-Type: multipart/mixed; boundary=inner', NESTED)
    ),
    "encoded": multipart.body(
        multipart.part(b'name="model"; filename="m.tar.gz"\r\nContent-Transfer-Encoding: base64', b"H4sIAAAAAAAA/w==")
    ),
    "line ends of Unix": multipart.upload("m.tar.gz", SMALL).replace(b"\r\n", b"\n"),
    "bytes after the end": multipart.upload("m.tar.gz", SMALL) + b"x" * 1000,
    "bytes before the beginning": b"preamble" + multipart.upload("m.tar.gz", SMALL),
    "a bomb of headers": multipart.upload(
        "m.tar.gz", gzipped(b"".join(pax_header(b"60014 k%05d=%s\n" % (n, b"v" * 60_000)) for n in range(200)) + TAR)
    ),
    "a bomb of long names": multipart.upload("m.tar.gz", gzipped(long_name(b"a" * 60_000) * 200 + TAR)),
    "a bomb of a directory": multipart.upload("m.zip", zip_directory(110_000)),
    "a bomb of zeros": multipart.upload("m.tar.gz", gzipped(bytes(100 * MB))),
}


def test_bodies_that_are_no_upload_are_refused_and_take_no_memory(target):
    with target.memory_grows_by_less_than(64 * MB):
        answers = {case: target.send(body)[0] for case, body in BODIES.items()}
    assert {case: status for case, status in answers.items() if not 400 <= status < 500} == {}


def large(size: int) -> bytes:
    """The body of an upload of `size` bytes that do not pack."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        metadata = json.dumps(rasa_metadata("large")).encode()
        tar.addfile(folder(""))
        tar.addfile(file("metadata.json", len(metadata)), io.BytesIO(metadata))
        tar.addfile(file("components/large", size), io.BytesIO(os.urandom(size)))
    return multipart.upload("large.tar.gz", gzipped(content.getvalue()))


def test_memory_stays_flat_while_a_large_upload_is_refused_and_one_is_cut(target):
    body = large(100 * MB)
    with target.memory_grows_by_less_than(64 * MB):
        with target.wire.open("POST", URL, TYPE, length(body)) as connection:
            connection.sendall(body[:-1000])
            hang_up(connection)
        damaged = bytearray(body)
        damaged[len(body) - 500] ^= 1
        wait_until(lambda: target.send(bytes(damaged))[0] == 422, 20, "the refusal")


def test_a_refusal_of_what_was_sent_is_heard_by_a_client_that_sends_on(target):
    body = multipart.upload("../evil.tar.gz", os.urandom(30 * MB))
    with target.wire.open("POST", URL, TYPE, length(body)) as connection:
        connection.sendall(body)
        status, _, said = answer(connection)
    assert (status, json.loads(said)["reason"]) == (400, "InvalidName")


def test_a_download_that_is_cut_gives_its_slot_back(target):
    body = large(20 * MB)
    assert target.send(body)[0] == 201
    try:
        for _ in range(3):
            wait_until(lambda: first_line(target, f"{URL}/large").startswith(b"HTTP/1.1 200"), 10, "a free slot")
    finally:
        assert target.plane.http.delete(f"{URL}/large").status_code == 204
        kept = {model["hash"] for model in target.plane.http.get("/api/v1/models/").json()["results"]}
        for path in (target.plane.home / "archives").glob("[0-9a-f]*"):
            if path.name not in kept:
                path.unlink()


def first_line(target, path: str) -> bytes:
    """Of a download, of which no more is read."""
    with target.wire.open("GET", path) as connection:
        line = connection.recv(20)
        hang_up(connection)
        return line
