"""The stack of docker-compose.yml on a real engine, in a folder of its own as on a server."""

import os
import random
import shutil
import ssl
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import docker
import httpx
from docker.models.containers import Container

from demo import main_job
from tests import live, services
from tests.docker import images
from tests.docker.composes import Command

RASA = {"RASA_TELEMETRY_ENABLED": "false", "SQLALCHEMY_SILENCE_UBER_WARNING": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
HEAD = "deployment:\n  memory: 2g\n  environment:\n" + "".join(
    f'    {name}: "{value}"\n' for name, value in RASA.items()
)
PATIENCE_SECONDS = 60.0
# What is logged when something did not come up.
TAIL = "60"


def entry(name: str, **keys: object) -> str:
    """One environment in environments.yml."""
    keys = {"url": f"http://rasa-{name}:5005", "token": "${RASA_TOKEN}", "pull_interval": 2, **keys}
    return f"  {name}:\n" + "".join(f"    {key}: {value}\n" for key, value in keys.items())


def declaration(*entries: str) -> str:
    return HEAD + "rasa:\n" + "".join(entries)


class Client(main_job.ControlPlane):
    """One that comes again when it is told to: 503 says that nothing was done. It asks by TLS."""

    def __init__(self, url: str, token: str, trusted: ssl.SSLContext) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=90, verify=trusted)

    def call(self, method: str, path: str, **options: Any) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (response := self.asked(method, path, **options)) is None and time.monotonic() < deadline:
            time.sleep(0.5)
        if response is None or response.is_error:
            raise main_job.Failed(f"{method} {path}: {response and response.text[:1000]}")
        return response.json()

    def asked(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """None where it is to be asked again; whether a change that broke off was made nobody knows."""
        try:
            response = self.http.request(method, path, **options)
        except httpx.TransportError:
            if method == "GET":
                return None
            raise
        again = (502, 503) if method == "GET" else (503,)
        return None if response.status_code in again else response


class Stack:
    """One stack; what it takes of the engine it gives back at its end."""

    def __init__(self, folder: Path, *, compose: Command, engine: docker.DockerClient, image: str) -> None:
        self.folder, self.engine = folder, engine
        self.project = f"controlplane-test-{uuid.uuid4().hex[:8]}"
        self.command = [*compose, "--project-name", self.project]
        self.port = live.free_port()
        self.url = f"https://localhost:{self.port}"
        self.environment = {name: value for name, value in os.environ.items() if name not in live.FOREIGN}
        self.environment |= {"DOCKER_HOST": services.DOCKER_URL, "COMPOSE_IGNORE_ORPHANS": "0"}
        self.clients: list[Client] = []
        self._unpack()
        self._configure(image)

    def _unpack(self) -> None:
        """What a release brings to a server, in a folder that the user of the image can read."""
        self.folder.chmod(0o755)
        for name in ("docker-compose.yml", "Dockerfile", "Makefile"):
            shutil.copy(images.ROOT / name, self.folder)
        shutil.copytree(images.ROOT / "deploy", self.folder / "deploy")

    def _configure(self, image: str) -> None:
        subprocess.run(["make", "-s", "env"], cwd=self.folder, env=self.environment, check=True, capture_output=True)
        # Not by the seed of the run: what one that was killed left behind must not be in the way of the next.
        chance = random.SystemRandom()
        network = f"10.{chance.randrange(200, 250)}.{chance.randrange(256)}"
        settings = {
            "CONTROLPLANE_IMAGE": image,
            "POSTGRES_IMAGE": images.POSTGRES,
            "REDIS_IMAGE": images.REDIS,
            "CADDY_IMAGE": images.CADDY,
            "RASA_IMAGE": images.RASA,
            "HTTP_PORT": live.free_port(),
            "HTTPS_PORT": self.port,
            "PUBLIC_URL": self.url,
            "PROXY_ADDRESS": f"{network}.10",
            "FRONT_NETWORK": f"{network}.0/24",
            "FRONT_RANGE": f"{network}.128/25",
        }
        file = self.folder / ".env"
        kept = [line for line in file.read_text().splitlines() if line.partition("=")[0] not in settings]
        file.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in settings.items())]) + "\n")

    def compose(self, *arguments: str) -> str:
        """What it prints; an error of it is one of the test."""
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manage(self, *arguments: str) -> str:
        return self.compose("run", "--rm", "-T", "manage", *arguments)

    def generate(self, *arguments: str) -> str:
        return self.compose("run", "--rm", "-T", "generate", *arguments)

    def declare(self, *entries: str) -> None:
        (self.folder / "environments.yml").write_text(declaration(*entries))

    def containers(self, service: str, *, all: bool = False) -> list[Container]:
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}"]
        found = self.engine.containers.list(all=all, filters={"label": labels})
        return [each for each in found if each.labels.get("com.docker.compose.oneoff", "").lower() != "true"]

    def container(self, service: str) -> Container:
        [found] = self.containers(service)
        return found

    def address(self, container: Container) -> str:
        """Of the container in the network of the stack, which this machine reaches."""
        container.reload()
        return str(container.attrs["NetworkSettings"]["Networks"][f"{self.project}_default"]["IPAddress"])

    def wait_for_web(self) -> None:
        trusted: list[ssl.SSLContext] = []

        def ready() -> bool:
            try:
                trusted[:] = trusted or [self.trust()]
                return httpx.get(f"{self.url}/readyz", verify=trusted[0], timeout=5).status_code == 200
            except (httpx.HTTPError, AssertionError):
                return False

        try:
            live.wait_until(ready, 300, "readiness of the control plane")
        except AssertionError as error:
            raise AssertionError(
                f"{error}\n{self.compose('logs', '--tail', TAIL, 'web', 'proxy', 'prepare')}"
            ) from error

    def trust(self) -> ssl.SSLContext:
        """Of the proxy's own authority, as a browser would that was given its certificate."""
        root = self.compose("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt")
        return ssl.create_default_context(cadata=root)

    def client(self) -> Client:
        """Of the administrator, through the proxy."""
        told = self.compose("exec", "-T", "web", "python", "manage.py", "create_token", "admin", "--name", "tests")
        self.clients.append(Client(self.url, told.split()[-1], self.trust()))
        return self.clients[-1]

    def remove(self) -> None:
        """All of it."""
        for client in self.clients:
            client.http.close()
        label = {"label": f"com.docker.compose.project={self.project}"}
        for container in self.engine.containers.list(all=True, filters=label):
            container.remove(force=True, v=True)
        for network in self.engine.networks.list(filters=label):
            network.remove()
        for volume in self.engine.volumes.list(filters=label):
            volume.remove(force=True)
