"""Real processes for tests: stock Rasa servers, and a control plane of its own home on a free port."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from controlplane import programs
from controlplane.supervisor import LAUNCHER
from tests import services

ROOT = Path(__file__).resolve().parent.parent
QUIET_RASA = {"RASA_TELEMETRY_ENABLED": "false", "SQLALCHEMY_SILENCE_UBER_WARNING": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
# What the machine that runs the tests may have set must not reach the installation under test.
FOREIGN = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "PUBLIC_URL", "RASA_TOKEN", "RASA_X_TOKEN", "JWT_SECRET")
RASA_START_SECONDS = 180.0
START_SECONDS = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


class Process:
    """A program that ends with the test run, however that ends. Its output is in `log`."""

    def __init__(self, command: list[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-IS", str(LAUNCHER), *command],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )

    def wait_for(self, url: str, seconds: float) -> None:
        def answers_or_ended() -> bool:
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text()[-4000:]}"
            return answers(url)

        wait_until(answers_or_ended, seconds, f"an answer of {url}")

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()


class RasaServer(Process):
    """A stock `rasa run` on a free port, with the endpoints.yml given."""

    def __init__(
        self, folder: Path, *, endpoints: str = "", token: str = "", variables: Mapping[str, str] | None = None
    ) -> None:
        port = free_port()
        self.url, self.token = f"http://127.0.0.1:{port}", token
        (folder / "endpoints.yml").write_text(endpoints)
        (folder / "credentials.yml").write_text("rest:\n")
        command = [str(services.RASA_HOME / "bin" / "rasa"), "run", "--enable-api", "--port", str(port)]
        command += ["--interface", "127.0.0.1", "--endpoints", "endpoints.yml", "--credentials", "credentials.yml"]
        command += ["--auth-token", token] if token else []
        environment = {**os.environ, **QUIET_RASA, **(variables or {})}
        super().__init__(command, folder=folder, environment=environment, log=folder / "rasa.log")

    def wait(self) -> None:
        self.wait_for(self.url, RASA_START_SECONDS)


class ControlPlane(Process):
    """An installation of its own on SQLite: its web process, and `manage.py` commands in its home."""

    def __init__(self, home: Path, environments: str) -> None:
        self.home = home
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.declaration = home / "environments.yml"
        self.environment = {name: value for name, value in os.environ.items() if name not in FOREIGN} | {
            "CONTROLPLANE_HOME": str(home),
            "CONTROLPLANE_ENVIRONMENTS": str(self.declaration),
            "PUBLIC_URL": self.url,
        }
        self.declaration.write_text(environments)
        self.manage("prepare")
        web = programs.web("127.0.0.1", port, self.url)
        super().__init__(list(web.command), folder=ROOT, environment=self.environment, log=home / "web.log")
        self.wait_for(f"{self.url}/healthz", START_SECONDS)
        self.token = self.manage("create_token", "admin", "--name", "tests").strip()
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=90)

    def manage(self, *arguments: str) -> str:
        """What the command prints; an error of it is one of the test."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def declare(self, environments: str) -> None:
        """Change environments.yml and apply it."""
        self.declaration.write_text(environments)
        self.manage("sync_environments")

    def stop(self) -> None:
        self.http.close()
        super().stop()


def variables_of(text: str) -> set[str]:
    """The names in `${…}`."""
    return set(re.findall(r"\$\{(\w+)\}", text))
