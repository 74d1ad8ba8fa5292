"""The client of an engine: one contract for the fake and for a real engine, then what only a fake can do wrong."""

import ctypes
import os
import platform
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from environments.clients.docker.engine import Engine
from environments.clients.docker.errors import EngineRefused, EngineUnreachable, Gone
from tests import engines, services
from tests.engines import ENDS, SERVES
from tests.live import wait_until

SETRESUID = {"x86_64": 117, "aarch64": 147}.get(platform.machine())


class FakeBox:
    """As `engines.Box`, on the fake engine."""

    def __init__(self, fake):
        self.fake, self.name, self.url = fake, "fake", fake.url
        self.labels = {engines.MARK: self.name}

    def run(self, name, command, *, restart="no", **labels):
        told = {**self.labels, **{key.replace("_", "."): value for key, value in labels.items()}}
        printed = b"one\ntwo\nthree\n" if command is SERVES else b"oh dear\n"
        made = self.fake.run(f"{self.name}-{name}", told, printed=printed, started_at=datetime.now(UTC))
        if command is ENDS:
            made.end(3)
            if restart == "always":
                made.status, made.restarts = "restarting", 2
        return made.id


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.docker)])
def box(request, fake_docker):
    if request.param == "fake":
        yield FakeBox(fake_docker)
        return
    real = engines.Box()
    real.url = services.DOCKER_URL
    yield real
    real.close()


@pytest.fixture
def engine(box):
    return Engine(box.url, timeout=30)


def found(engine, box):
    return engine.containers([f"{engines.MARK}={box.name}"])


def test_containers_are_told_by_their_labels(engine, box):
    box.run("b", SERVES, controlplane_environment="production")
    box.run("a", SERVES, controlplane_environment="worker")
    both = found(engine, box)
    assert [container.name for container in both] == [f"{box.name}-a", f"{box.name}-b"]
    assert [container.labels["controlplane.environment"] for container in both] == ["worker", "production"]
    [worker] = engine.containers([f"{engines.MARK}={box.name}", "controlplane.environment=worker"])
    assert worker.id == both[0].id
    assert engine.containers([f"{engines.MARK}={box.name}", "no.such.label"]) == []


def test_a_container_that_runs_tells_since_when_and_its_memory(engine, box):
    identifier = box.run("a", SERVES)
    [container] = found(engine, box)
    assert (container.id, container.state, container.runs) == (identifier, "running", True)
    assert container.hostname == identifier[:12]
    assert abs(datetime.now(UTC) - container.started_at) < timedelta(minutes=2)
    assert container.finished_at is None
    assert 0 < container.memory.used < container.memory.limit


def test_a_container_that_ended_tells_how(engine, box):
    box.run("a", ENDS)
    wait_until(lambda: found(engine, box)[0].state == "exited", 30, "its end")
    [container] = found(engine, box)
    assert (container.exit_code, container.runs, container.out_of_memory) == (3, False, False)
    # The engine notes the end of a short one a little before its begin.
    assert abs(container.finished_at - container.started_at) < timedelta(seconds=10)
    assert container.memory is None


def test_one_that_the_engine_starts_again_and_again_counts_it(engine, box):
    box.run("a", ENDS, restart="always")
    wait_until(lambda: found(engine, box)[0].restarts >= 2, 60, "two restarts")
    assert found(engine, box)[0].state in ("restarting", "running", "exited")


def test_the_last_it_printed_of_both_streams(engine, box):
    identifier = box.run("a", SERVES)
    wait_until(lambda: "three" in engine.tail(identifier, 10), 30, "three lines")
    assert sorted(engine.tail(identifier, 10).split()) == ["one", "three", "two"]
    assert engine.tail(identifier, 1) == "three\n"


def test_a_restart_starts_it_anew_under_its_name(engine, box):
    identifier = box.run("a", SERVES)
    before = found(engine, box)[0].started_at
    engine.restart(identifier)
    [container] = found(engine, box)
    assert (container.id, container.runs) == (identifier, True)
    assert container.started_at > before


def test_a_container_that_is_not_there_is_told(engine):
    for ask in (engine.restart, lambda name: engine.tail(name, 1)):
        with pytest.raises(Gone, match=r"(?i)no such container"):
            ask("no-such-container")


# What only a fake can do wrong


def test_an_engine_that_is_slow_is_left_in_time(fake_docker):
    fake_docker.seconds = 5
    begun = time.monotonic()
    with pytest.raises(EngineUnreachable, match="did not answer in time"):
        Engine(fake_docker.url, timeout=0.2).containers(["x"])
    assert time.monotonic() - begun < 4


def test_an_engine_that_is_frozen_is_left_in_time(tmp_path_factory):
    """It takes connections and says nothing."""
    path = str(tmp_path_factory.mktemp("e") / "s")
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(path)
        frozen.listen(8)
        with pytest.raises(EngineUnreachable, match="did not answer in time"):
            Engine(f"unix://{path}", timeout=0.2).containers(["x"])


def test_no_socket_is_told_with_the_cure(tmp_path):
    with pytest.raises(EngineUnreachable, match=r"no such socket.*CONTROLPLANE_DOCKER_URL"):
        Engine(f"unix://{tmp_path}/nowhere.sock").containers(["x"])


def test_an_engine_that_is_gone_is_told(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("e") / "s")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    with pytest.raises(EngineUnreachable, match="the engine does not run"):
        Engine(f"unix://{path}").containers(["x"])


@pytest.mark.skipif(os.geteuid() != 0 or SETRESUID is None, reason="only root can become somebody else")
def test_a_socket_without_permission_is_told_with_the_cure(fake_docker):
    Path(fake_docker.url.removeprefix("unix://")).chmod(0o600)
    told = []

    def ask():
        # Of this thread alone: Linux keeps the user of each thread apart.
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.syscall(SETRESUID, -1, 65534, -1) == 0
        try:
            Engine(fake_docker.url).containers(["x"])
        except EngineUnreachable as error:
            told.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert told == [
        "The control plane's user may not use the socket. Give it the socket's group, or use a socket proxy."
    ]


@pytest.mark.parametrize(
    ("status", "body", "error", "sentence"),
    [
        (403, b"<html>", EngineRefused, "does not let this call through"),
        (503, b"<html>", EngineUnreachable, "the engine behind it does not"),
        (500, b'{"message": "something broke"}', EngineRefused, "Something broke"),
        (200, b"hello", EngineUnreachable, "."),
        (200, b"[]", EngineUnreachable, "no Docker engine"),
        (200, b'{"ApiVersion": 7}', EngineUnreachable, "."),
        (200, b'{"ApiVersion": "0.9"}', EngineUnreachable, "."),
    ],
)
def test_what_is_no_engine_is_told_in_a_sentence(fake_docker, status, body, error, sentence):
    fake_docker.override = (status, body)
    with pytest.raises(error, match=sentence):
        Engine(fake_docker.url).containers(["x"])


def test_a_container_that_goes_away_meanwhile_is_left_out(fake_docker, monkeypatch):
    fake_docker.run("stays", {"x": "1"})
    fake_docker.run("goes", {"x": "1"})
    inspected = fake_docker.__class__.find
    monkeypatch.setattr(
        fake_docker,
        "find",
        lambda name: (one := inspected(fake_docker, name)) and (one if one.name == "stays" else None),
    )
    assert [container.name for container in Engine(fake_docker.url).containers(["x"])] == ["stays"]


def test_the_proxy_of_the_machine_is_not_asked(fake_docker, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert Engine(fake_docker.url).containers(["x"]) == []


def test_a_log_of_endless_lines_is_cut(fake_docker):
    made = fake_docker.run("a", {"x": "1"}, printed=b"y" * 1_000_000)
    assert len(Engine(fake_docker.url).tail(made.id, 5)) == 256 * 1024
