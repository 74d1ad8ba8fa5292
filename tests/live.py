"""Real processes for tests: stock Rasa servers, and a control plane of its own home on a free port."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
from django.test import override_settings

from controlplane import programs
from controlplane.supervisor import LAUNCHER
from tests import migrated, services

ROOT = Path(__file__).resolve().parent.parent
QUIET_RASA = {"RASA_TELEMETRY_ENABLED": "false", "SQLALCHEMY_SILENCE_UBER_WARNING": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
# What the machine that runs the tests may have set must not reach the installation under test.
FOREIGN = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "PUBLIC_URL", "RASA_TOKEN", "RASA_X_TOKEN", "JWT_SECRET")
RASA_START_SECONDS = 180.0
START_SECONDS = 60.0
# The token is the last line.
PREPARE = """
from django.core.management import call_command
call_command("prepare")
call_command("create_token", "admin", "--name", "tests")
"""
DECLARE_QUEUES = """
from controlplane import broker
from controlplane.celery import app
broker.declare_queues(app)
"""
SERVICE_TOKEN = """
from environments.models import Environment
from environments.serving.service_tokens import service_token
print(service_token(Environment.objects.get(name="{environment}")), end="")
"""


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

    def signal(self, number: signal.Signals) -> None:
        """To the program and all its children."""
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()


class RasaServer(Process):
    """A stock `rasa run` with the endpoints.yml and credentials.yml given, on a free port unless one is named."""

    def __init__(
        self,
        folder: Path,
        *,
        endpoints: str = "",
        credentials: str = "rest:\n",
        token: str = "",
        jwt_secret: str = "",
        variables: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        port = port or free_port()
        self.url, self.token = f"http://127.0.0.1:{port}", token
        (folder / "endpoints.yml").write_text(endpoints)
        (folder / "credentials.yml").write_text(credentials)
        command = [str(services.RASA_HOME / "bin" / "rasa"), "run", "--enable-api", "--port", str(port)]
        command += ["--interface", "127.0.0.1", "--endpoints", "endpoints.yml", "--credentials", "credentials.yml"]
        command += ["--auth-token", token] if token else []
        command += ["--jwt-method", "HS256", "--jwt-secret", jwt_secret] if jwt_secret else []
        environment = {**os.environ, **QUIET_RASA, **(variables or {})}
        super().__init__(command, folder=folder, environment=environment, log=folder / "rasa.log")

    def wait(self) -> None:
        self.wait_for(self.url, RASA_START_SECONDS)


class ControlPlane:
    """An installation of its own: its processes, each of which can be killed and started again, and `manage.py`
    commands in its home.

    On SQLite and files, unless `variables` (`DATABASE_URL`, `BROKER_URL`, `CACHE_URL`, limits, …) say otherwise.
    `parts` are the programs to start: `web`, `training`, `default`, `beat`, and more of a kind by a number: `web-2`, on
    a port of its own, `beat-3`. `variables_of` says what one of them has otherwise, as a container of its own does.
    `backup` is restored first.
    """

    def __init__(
        self,
        home: Path,
        environments: str = "rasa: {}\n",
        *,
        variables: Mapping[str, str] | None = None,
        parts: Sequence[str] = ("web",),
        variables_of: Mapping[str, Mapping[str, str]] | None = None,
        backup: Path | None = None,
    ) -> None:
        self.home = home
        self.variables_of = dict(variables_of or {})
        self.ports = {name: free_port() for name in ("web", "web-2")}
        self.url = f"http://127.0.0.1:{self.ports['web']}"
        self.declaration = home / "environments.yml"
        self.environment = {name: value for name, value in os.environ.items() if name not in FOREIGN} | {
            "CONTROLPLANE_HOME": str(home),
            "CONTROLPLANE_ENVIRONMENTS": str(self.declaration),
            "PUBLIC_URL": self.url,
            **(variables or {}),
        }
        self.declaration.write_text(environments)
        self.running: dict[str, Process] = {}
        self.restored = self.manage("restore", str(backup)) if backup else ""
        if "DATABASE_URL" not in self.environment:
            migrated.copy_to(home)
        declared = DECLARE_QUEUES if set(parts) - set(self.ports) else ""
        self.token = self.run(declared + PREPARE).split()[-1]
        for part in parts:
            self.start(part)
        self.http = self.client()

    def client(self, part: str = "web") -> httpx.Client:
        """An HTTP client of the administrator, to the web process named."""
        url = f"http://127.0.0.1:{self.ports[part]}"
        # The server ends idle connections after seconds, at times just as they are used again.
        brief = httpx.Limits(keepalive_expiry=1)
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=url, headers=headers, timeout=90, limits=brief)

    def start(self, part: str) -> Process:
        """Start a program; a web process is waited for."""
        program = self._program(part)
        log = self.home / f"{part}.log"
        environment = {**self.environment, **program.environment, "PUBLIC_URL": self.url}
        environment |= self.variables_of.get(part, {})
        process = Process(list(program.command), folder=ROOT, environment=environment, log=log)
        self.running[part] = process
        if part in self.ports:
            process.wait_for(f"http://127.0.0.1:{self.ports[part]}/healthz", START_SECONDS)
        return process

    def _program(self, part: str) -> programs.Program:
        kind = part.partition("-")[0]
        match kind:
            case "training" | "evaluation" | "default":
                return programs.worker(kind, self.url)
            case "beat":
                return programs.beat(self.url)
        with override_settings(WEB_PROCESSES=int(self.environment.get("WEB_PROCESSES", 1))):
            return programs.web("127.0.0.1", self.ports[part], self.url)

    def kill(self, part: str) -> None:
        """`kill -9` of the program and all its children."""
        self.running.pop(part).stop()

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

    def run(self, code: str) -> str:
        """What Python code prints that runs inside the installation."""
        return self.manage("shell", "-v", "0", "-c", code)

    def service_token(self, environment: str) -> str:
        """The token that Rasa servers of the environment send."""
        return self.run(SERVICE_TOKEN.format(environment=environment))

    def declare(self, environments: str) -> None:
        """Change environments.yml and apply it."""
        self.declaration.write_text(environments)
        self.manage("sync_environments")

    def log(self, part: str) -> str:
        return (self.home / f"{part}.log").read_text()

    def stop(self) -> None:
        self.http.close()
        for part in list(self.running):
            self.kill(part)


def variables_of(text: str) -> set[str]:
    """The names in `${…}`."""
    return set(re.findall(r"\$\{(\w+)\}", text))
