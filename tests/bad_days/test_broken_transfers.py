"""The connection breaks off in the middle of an archive: that is no try of the Rasa server, and makes nothing stuck."""

import io
import random
import socket

import pytest

from tests import live
from tests.archives import rasa_archive

SIZE = 8 * 1024**2
DECLARATION = "rasa: {production: {url: 'http://127.0.0.1:9', pull_interval: 2}}\n"
UUID = "1" * 32


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory):
    control_plane = live.ControlPlane(tmp_path_factory.mktemp("controlplane"), DECLARATION)
    large = rasa_archive("large", payload=random.Random(1).randbytes(SIZE))
    files = {"model": ("large.tar.gz", io.BytesIO(large), "application/gzip")}
    response = control_plane.http.post("/api/projects/default/models", files=files)
    assert response.status_code == 201, response.text
    promoted = control_plane.http.post("/api/v1/environments/production/promotions/", json={"model": "large"})
    assert promoted.status_code == 201, promoted.text
    yield control_plane
    control_plane.stop()


@pytest.fixture(scope="module")
def token(control_plane):
    return control_plane.service_token("production")


def poll_and_break_off(control_plane, token, replica):
    """Ask for the model and hang up after some of it; the status line."""
    request = f"GET /api/projects/default/models/tags/production?replica={replica} HTTP/1.1\r\nHost: localhost\r\n"
    request += f"Authorization: Bearer {token}\r\nIf-None-Match: {UUID}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", control_plane.ports["web"]), timeout=30) as connection:
        connection.sendall(request.encode())
        received = connection.recv(65536)
        # Hang up at once, as when the machine goes away: what is on its way meets a reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return received.split(b"\r\n")[0]


def replica_told(control_plane, name):
    replicas = control_plane.http.get("/api/v1/environments/production/replicas/").json()
    return next(replica for replica in replicas if replica["name"] == name)


def test_transfers_that_break_off_make_no_model_stuck_and_are_told(control_plane, token):
    for number in range(1, 7):
        assert poll_and_break_off(control_plane, token, "rasa-1") == b"HTTP/1.1 200 OK"
        told = replica_told(control_plane, "rasa-1")
        assert (told["state"], told["downloads"]) == ("loading", number)
    live.wait_until(
        lambda: "6 transfers of large to it broke off" in replica_told(control_plane, "rasa-1")["reason"],
        10,
        "a reason",
    )
    environment = control_plane.http.get("/api/v1/environments/production/").json()
    assert environment["sync"] != "out_of_sync"
