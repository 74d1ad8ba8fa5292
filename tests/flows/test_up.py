"""`manage.py up` as a person runs it: it says where it is, carries work, refuses what cannot be, and ends cleanly."""

import signal
import socket

import pytest

from tests import live
from tests.up import Up


@pytest.fixture
def up(tmp_path):
    up = Up(tmp_path)
    yield up
    if up.process is not None and up.process.poll() is None:
        up.end(signal.SIGKILL)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_says_where_it_is_runs_what_is_due_and_stops_within_ten_seconds(up):
    up.start()
    live.wait_until(lambda: "Open http://localhost" in up.log(), 10, "the address")
    assert f"Open http://localhost:{up.port} and sign in as admin with the password in {up.home}" in up.log()
    password = (up.home / "initial-admin-password").read_text().strip()
    assert password not in up.log()
    # The second start for the same home is refused, and disturbs nothing.
    assert "`up` runs already" in up.refused()
    messages = up.home / "broker" / "messages"
    live.wait_until(lambda: messages.exists() and not list(messages.rglob("*.msg")), 20, "an empty queue")
    assert up.end(signal.SIGINT) < 10
    assert up.process.returncode == 0
    assert "Traceback" not in up.log()
    assert is_free(up.port)


def test_killed_it_takes_all_with_it_and_the_next_start_finds_its_port(up):
    up.start()
    up.end(signal.SIGKILL)
    live.wait_until(lambda: is_free(up.port), 5, "a free port")
    up.start()
    assert up.end(signal.SIGTERM) < 10


def test_a_taken_port_is_told_before_anything_starts(up):
    with socket.create_server(("127.0.0.1", up.port)):
        said = up.refused()
    assert f"Port {up.port} on 127.0.0.1, for the control plane, is taken." in said
    assert "--port" in said
    assert not (up.home / "broker").exists()


def test_without_rasa_all_else_runs_and_the_note_says_what_is_missing(tmp_path):
    up = Up(tmp_path, url=f"http://localhost:{live.free_port()}")
    up.start()
    try:
        assert "manage.py install_rasa" in up.log()
        assert "default/production" in (tmp_path / "rasa-missing.json").read_text()
    finally:
        assert up.end(signal.SIGINT) < 10
