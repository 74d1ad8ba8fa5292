"""A control plane of its own with a worker whose Rasa is a fake, and `cpctl` as people run it: a process in an empty
folder that knows nothing but its environment."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests import git_servers, live
from tests.archives import rasa_archive
from tests.cpctl.scripted import Scripted
from tests.fake_rasa import FakeRasa
from tests.polling import INSTALLATION_TOKEN, Polling, Replica
from tests.projects import MORE_NLU, TEST_NLU, tree

DECLARATION = """
rasa:
  production:
    url: http://127.0.0.1:9
    pull_interval: 1
  experimental:
    url: http://127.0.0.1:10
    pull_interval: 1
  worker:
    url: {worker}
    follows: production
"""


@dataclass
class Done:
    """How a run of the program ended."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class Cpctl:
    """Runs `cpctl` in `folder` with `environ` and nothing else of ours."""

    def __init__(self, folder, url, token):
        self.folder = folder
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(live.ROOT),
            "HOME": str(folder / "home"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "CPCTL_URL": url,
            "CPCTL_TOKEN": token,
        }

    def start(self, *arguments, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "cpctl", *map(str, arguments)],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def __call__(self, *arguments, typed=None):
        stdin = subprocess.PIPE if typed is not None else subprocess.DEVNULL
        process = self.start(*arguments, stdin=stdin)
        out, err = process.communicate(typed, timeout=120)
        return Done(process.returncode, out, err)

    @contextmanager
    def running(self, *arguments):
        """The process while it runs; it ends with the block. Its standard error is in `.said`."""
        process = self.start(*arguments)
        process.said = []
        reader = threading.Thread(target=lambda: process.said.extend(iter(process.stderr.readline, "")), daemon=True)
        reader.start()
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            reader.join()
            process.stdout.close()
            process.stderr.close()


def ended(process, seconds=60):
    """(status, standard output, standard error) of a running process, when it has ended by itself."""
    process.wait(timeout=seconds)
    return Done(process.returncode, process.stdout.read(), "".join(process.said))


def interrupt(process):
    process.send_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def worker_rasa():
    with FakeRasa(always_new=True) as fake:
        fake.token = "sesame"
        yield fake


@pytest.fixture(scope="session")
def git_root(tmp_path_factory):
    """The folder whose repositories the git server shows."""
    (root := tmp_path_factory.mktemp("git") / "root").mkdir()
    return root


@pytest.fixture(scope="session")
def git_server(git_root, tmp_path_factory):
    with git_servers.serving(git_servers.HttpsGit, git_root, tmp_path_factory.mktemp("https")) as server:
        yield server


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory, worker_rasa, git_server):
    """All programs of one, on SQLite and files."""
    variables = {"RASA_X_TOKEN": INSTALLATION_TOKEN, "RASA_TOKEN": worker_rasa.token}
    variables |= {"GIT_CA_FILE": str(git_server.ca_file)}
    home = tmp_path_factory.mktemp("cpctl-home")
    declaration = DECLARATION.format(worker=f"{worker_rasa.url}\n    token: ${{RASA_TOKEN}}")
    started = live.ControlPlane(
        home, variables=variables, parts=("web", "training", "evaluation", "default", "beat"), environments=declaration
    )
    started.manage("sync_environments")
    yield started
    started.stop()


@pytest.fixture
def cpctl(control_plane, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    return Cpctl(folder, control_plane.url, control_plane.token)


@pytest.fixture
def project_folder(cpctl):
    """A Rasa project with test data, which no test had before: once sent, it is the newest."""
    folder = cpctl.folder / "assistant"
    new = f"# {time.time_ns()}\n"
    for path, text in tree(data__nlu=MORE_NLU + new, tests__nlu=TEST_NLU).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


_made = iter(range(10_000))


@pytest.fixture
def archive(cpctl):
    """Makes the file of a model: `archive("brisk-otter")`; its bytes are new each time."""

    def make(name, **more):
        path = cpctl.folder / f"{name}.tar.gz"
        path.write_bytes(rasa_archive(f"{name}-{next(_made)}-{time.time_ns()}", **more))
        return path

    return make


@pytest.fixture
def serving(control_plane):
    """Rasa servers of an environment that poll as long as the block lasts: `with serving("production", "rasa-1"):`."""

    @contextmanager
    def polling(environment, *names, **more):
        replicas = [Replica([control_plane.url], tag=environment, name=name, **more) for name in names]
        with Polling(replicas, 0.5):
            yield replicas
        for replica in replicas:
            replica.http.close()

    return polling


@pytest.fixture
def scripted():
    with Scripted() as server:
        yield server
