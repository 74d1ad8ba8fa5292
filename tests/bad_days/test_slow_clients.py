"""Clients that begin to send and never end: anybody can do that, and the polls of Rasa servers must not wait for it."""

import contextlib
from pathlib import Path

import httpx
import pytest

from tests import live, sockets

DECLARATION = "rasa: {production: {url: 'http://127.0.0.1:9', pull_interval: 2}}\n"
FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
# More than the web process has threads.
MANY = 160


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory):
    control_plane = live.ControlPlane(tmp_path_factory.mktemp("controlplane"), DECLARATION)
    yield control_plane
    control_plane.stop()


@pytest.fixture
def wire(control_plane):
    return sockets.Wire("127.0.0.1", control_plane.ports["web"], control_plane.token)


@contextlib.contextmanager
def slow(wire, count, path, *headers):
    """So many requests that announce a body and send some of it."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(wire.open("POST", path, "Content-Length: 100", *headers))
            connection.sendall(b"x=")
        yield


def poll(control_plane, token):
    headers = {"Authorization": f"Bearer {token}", "If-None-Match": "1" * 32}
    return httpx.get(f"{control_plane.url}/api/projects/default/models/tags/production", headers=headers, timeout=5)


def test_nobody_who_sends_slowly_keeps_a_rasa_server_waiting(control_plane, wire):
    token = control_plane.service_token("production")
    cookie = httpx.get(f"{control_plane.url}/sign-in/").cookies["csrftoken"]
    promote = "/api/v1/environments/production/promotions/"
    with slow(wire, MANY, "/sign-in/", FORM, f"Cookie: csrftoken={cookie}"):
        for _ in range(10):
            # No model is there yet: the answer that every poll gets.
            assert poll(control_plane, token).status_code == 404
        live.wait_until(lambda: control_plane.http.post(promote, json={}).status_code == 503, 10, "a refusal")
        refused = control_plane.http.post(promote, json={})
        assert "slow to send their body" in refused.json()["detail"]
        assert refused.headers["Retry-After"]
    live.wait_until(lambda: control_plane.http.post(promote, json={}).status_code != 503, 10, "room for bodies")


def keepalive_timers(port):
    """How many connections to the port have the system ask whether the client is still there (proc(5), net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" and row[5].startswith("02:") for row in rows)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells of the timers of connections")
def test_a_client_whose_machine_went_away_is_noticed(control_plane, wire):
    def is_watched():
        with slow(wire, 5, "/api/v1/environments/", JSON):
            return keepalive_timers(control_plane.ports["web"]) >= 5

    # The first connections of a web process that has just begun to listen may not be.
    live.wait_until(is_watched, 10, "a timer of each connection")
