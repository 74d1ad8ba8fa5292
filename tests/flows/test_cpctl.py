"""From an empty folder to servers that answer: `cpctl train … --wait && cpctl promote … --wait` with stock Rasa
servers, one that trains and two that serve."""

import os
import pty
import re
import shutil
import subprocess
import sys
import time

import pytest

from environments.clients.rasa import RasaClient
from tests import live

pytestmark = pytest.mark.rasa

TOKEN = "the-token-of-the-worker"
SERVED_BY = "the-token-of-every-server"
REPLICAS = ("rasa-blue", "rasa-green")
DECLARATION = """
rasa:
  production:
    url: http://127.0.0.1:9
    replicas: 2
    pull_interval: 1
  worker:
    url: {url}
    token: {token}
    follows: production
"""
ENDPOINTS = """
models:
  url: {url}/api/projects/default/models/tags/production
  headers:
    Authorization: Bearer {token}
  params:
    replica: {name}
  wait_time_between_pulls: 1
"""
STORY = 'cpctl train assistant --name "$NAME" --wait && cpctl promote "$NAME" production --reason "a flow" --wait'


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory, start_rasa):
    """With a training server of its own."""
    worker = start_rasa(token=TOKEN)
    home = tmp_path_factory.mktemp("home")
    started = live.ControlPlane(
        home,
        DECLARATION.format(url=worker.url, token=TOKEN),
        variables={"RASA_X_TOKEN": SERVED_BY},
        parts=("web", "training", "default", "beat"),
    )
    started.manage("sync_environments")
    worker.wait()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def replicas(control_plane, start_rasa):
    endpoints = [ENDPOINTS.format(url=control_plane.url, token=SERVED_BY, name=name) for name in REPLICAS]
    servers = [start_rasa(endpoints=text) for text in endpoints]
    for server in servers:
        server.wait()
    return servers


@pytest.fixture
def folder(tmp_path):
    """Empty but for the assistant, as a developer has it."""
    shutil.copytree(live.ROOT / "demo" / "assistant", tmp_path / "assistant")
    return tmp_path


@pytest.fixture
def environ(control_plane, folder):
    """What a CI sets, and `cpctl` where the set-up puts it."""
    return {
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "CPCTL_URL": control_plane.url,
        "CPCTL_TOKEN": control_plane.token,
        "TERM": "xterm",
    }


def answers(server, words):
    return [answer.get("text") for answer in RasaClient(server.url).send_message("flow", words)]


def test_in_a_ci_it_ends_when_every_replica_serves_the_model(folder, environ, replicas):
    done = subprocess.run(
        ["sh", "-c", STORY], cwd=folder, env={**environ, "NAME": "first"}, capture_output=True, text=True, check=False
    )
    # At once: whoever runs the next step of a CI does not wait either.
    said = [answers(server, "hello") for server in replicas]
    assert done.returncode == 0, done.stderr
    assert done.stdout == "first\nproduction: first\n"
    assert "\x1b" not in done.stderr
    assert re.search(r"production: \d of 2 replicas serve it", done.stderr)
    assert all(words and words[0] for words in said), said
    assert said[0] == said[1]


def test_on_a_terminal_it_shows_how_far_it_is(folder, environ, replicas):
    config = folder / "assistant" / "config.yml"
    config.write_text(config.read_text().replace("threshold: 0.35", "threshold: 0.34"))
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["sh", "-c", STORY], cwd=folder, env={**environ, "NAME": "second"}, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    seen = read_to_the_end(master)
    assert process.wait() == 0, seen
    assert re.search(r"\r\x1b\[K.{0,30}job \d+ running: ", seen)
    assert re.search(r"\r\x1b\[K\[[#.]{24}\] production: \d of 2 replicas serve it", seen)
    assert seen.endswith("production: second\r\n")
    model = subprocess.run(["cpctl", "status", "production"], env=environ, capture_output=True, text=True, check=True)
    assert model.stdout.count("second") == 3, model.stdout


def read_to_the_end(master):
    seen, deadline = b"", time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            piece = os.read(master, 65536)
        except OSError:  # The other end is closed.
            break
        if not piece:
            break
        seen += piece
    os.close(master)
    return seen.decode()
