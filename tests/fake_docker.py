"""A Docker engine to test against: a real HTTP server on a socket that answers as an engine of API 1.41 does.

The contract tests (`tests/environments/clients/docker/`) hold it to the real one.
"""

import gzip
import io
import json
import re
import tarfile
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

VERSION = "1.41"
NEVER = "0001-01-01T00:00:00Z"


def _written(at: datetime | None) -> str:
    return f"{at.replace(tzinfo=None).isoformat()}Z" if at else NEVER


@dataclass
class Program:
    """What a container runs, as its program sees it: files by their path below `/work`, arguments, variables."""

    arguments: list[str]
    variables: dict[str, str]
    files: dict[str, bytes]
    say: Callable[[bytes], None]
    killed: threading.Event


# Returns the exit code.
Behaviour = Callable[[Program], int]


@dataclass
class FakeContainer:
    name: str
    config: dict[str, Any]
    id: str = field(default_factory=lambda: uuid.uuid4().hex * 2)
    status: str = "created"
    restarts: int = 0
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""
    health: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    printed: list[bytes] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    killed: threading.Event = field(default_factory=threading.Event)
    memory: int = 50 * 1024**2

    @property
    def labels(self) -> dict[str, str]:
        return self.config.get("Labels") or {}

    def start(self) -> None:
        self.status, self.started_at = "running", datetime.now(UTC)

    def end(self, exit_code: int) -> None:
        self.exit_code, self.finished_at, self.status = exit_code, datetime.now(UTC), "exited"

    def inspected(self) -> dict[str, Any]:
        state = {
            "Status": self.status,
            "Running": self.status in ("running", "restarting", "paused"),
            "ExitCode": self.exit_code,
            "OOMKilled": self.out_of_memory,
            "Error": self.error,
            "StartedAt": _written(self.started_at),
            "FinishedAt": _written(self.finished_at),
        }
        if self.health:
            state["Health"] = {"Status": self.health}
        config = {"Hostname": self.id[:12], "Tty": False, **self.config}
        return {
            "Id": self.id,
            "Name": f"/{self.name}",
            "RestartCount": self.restarts,
            "State": state,
            "Config": config,
        }


class FakeEngine:
    """What the engine holds; change it while it runs. `calls` are `METHOD /path` as they came, without the version of
    the API. `behaviour` is what one-off containers do."""

    def __init__(self) -> None:
        self.containers: dict[str, FakeContainer] = {}
        self.images = {"tiny:1"}
        self.image, self.labels = "tiny:1", {"controlplane.job": "1"}
        self.calls: list[str] = []
        self.created: list[dict[str, Any]] = []
        self.behaviour: Behaviour = lambda program: 0
        # How long each answer takes, and what every request is answered instead: (status, body).
        self.seconds = 0.0
        self.override: tuple[int, bytes] | None = None
        self.warnings: list[str] = []
        # What one cannot follow a container through: so many times the log breaks off at once.
        self.breaks = 0

    def run(self, name: str, labels: dict[str, str], *, printed: bytes = b"", **state: Any) -> FakeContainer:
        """A container that runs, or is in the `state` that is told."""
        container = FakeContainer(name, {"Labels": labels, "Image": "tiny:1"}, printed=[printed])
        container.start()
        container.started_at = datetime.now(UTC) - timedelta(hours=1)
        for key, value in state.items():
            setattr(container, key, value)
        self.containers[container.id] = container
        return container

    def find(self, identifier: str) -> FakeContainer | None:
        return next((one for one in self.containers.values() if identifier in (one.id, one.name)), None)

    def __enter__(self) -> "FakeEngine":
        # The path of a socket is a hundred characters at most.
        self._folder = tempfile.TemporaryDirectory(prefix="engine-")
        path = Path(self._folder.name)
        path.chmod(0o711)
        path /= "docker.sock"
        self.url = f"unix://{path}"
        fake = self

        class Server(ThreadingUnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

        class Bound(Handler):
            engine = fake

        self._server = Server(str(path), Bound)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for container in self.containers.values():
            container.killed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._folder.cleanup()


def _has(labels: dict[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)


class Handler(BaseHTTPRequestHandler):
    engine: FakeEngine
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return "socket"

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = re.sub(r"^/v1\.\d+", "", parts.path)
        self.query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        self.engine.calls.append(f"{self.command} {path}")
        body = self._body()
        time.sleep(self.engine.seconds)
        if self.engine.override:
            status, text = self.engine.override
            self._send(status, text)
            return
        for method, pattern, name in ROUTES:
            found = re.fullmatch(pattern, path)
            if method == self.command and found:
                getattr(self, name)(body, *found.groups())
                return
        self._refuse(404, "page not found")

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def _json(self, document: Any, status: int = 200) -> None:
        self._send(status, json.dumps(document).encode())

    def _refuse(self, status: int, message: str) -> None:
        self._json({"message": message}, status)

    def _known(self, identifier: str) -> FakeContainer | None:
        container = self.engine.find(identifier)
        if container is None:
            self._refuse(404, f"No such container: {identifier}")
        return container

    # What is asked

    def version(self, _: bytes) -> None:
        self._json({"ApiVersion": VERSION, "Version": "20.10.24"})

    def listed(self, _: bytes) -> None:
        wanted = json.loads(self.query.get("filters", "{}")).get("label", [])
        found = [one for one in self.engine.containers.values() if all(_has(one.labels, label) for label in wanted)]
        self._json([{"Id": one.id, "Names": [f"/{one.name}"], "Labels": one.labels} for one in found])

    def inspected(self, _: bytes, identifier: str) -> None:
        if container := self._known(identifier):
            self._json(container.inspected())

    def stats(self, _: bytes, identifier: str) -> None:
        if container := self._known(identifier):
            used = {"usage": container.memory, "limit": 2 * 1024**3, "stats": {"inactive_file": 1024}}
            self._json({"memory_stats": used if container.status == "running" else {}})

    def logs(self, _: bytes, identifier: str) -> None:
        container = self._known(identifier)
        if container is None:
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(OSError):
            pieces = self._followed(container) if self.query.get("follow") == "1" else self._tail(container)
            for piece in pieces:
                frame = b"\x01\x00\x00\x00" + len(piece).to_bytes(4) + piece
                self.wfile.write(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

    def _tail(self, container: FakeContainer) -> list[bytes]:
        lines = b"".join(container.printed).splitlines(keepends=True)
        return lines[-int(self.query["tail"]) :]

    def _followed(self, container: FakeContainer) -> Iterator[bytes]:
        sent = 0 if float(self.query.get("since", 0)) == 0 else container.__dict__.get("followed", 0)
        while True:
            ended = container.status == "exited"
            while sent < len(container.printed):
                yield container.printed[sent]
                sent += 1
                container.__dict__["followed"] = sent
            if ended:
                return
            if self.engine.breaks and sent:
                self.engine.breaks -= 1
                return
            time.sleep(0.01)

    def archive(self, _: bytes, identifier: str) -> None:
        container = self._known(identifier)
        if container is None:
            return
        folder = self.query["path"].removeprefix("/work/").rstrip("/")
        below = {path: data for path, data in container.files.items() if path.startswith(f"{folder}/")}
        if not below:
            self._refuse(404, f"Could not find the file {self.query['path']} in container {identifier}")
            return
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            parent = folder.rpartition("/")[0]
            for path, data in sorted(below.items()):
                member = tarfile.TarInfo(path.removeprefix(f"{parent}/"))
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        as_asked = gzip.compress if "gzip" in self.headers.get("Accept-Encoding", "") else bytes
        self._send(200, as_asked(packed.getvalue()), "application/x-tar")

    # What is changed

    def create(self, body: bytes) -> None:
        config = json.loads(body)
        self.engine.created.append(config)
        if config["Image"] not in self.engine.images:
            self._refuse(404, f"No such image: {config['Image']}")
            return
        container = FakeContainer(self.query.get("name", f"one-off-{uuid.uuid4().hex[:6]}"), config)
        self.engine.containers[container.id] = container
        self._json({"Id": container.id, "Warnings": self.engine.warnings}, 201)

    def put(self, body: bytes, identifier: str) -> None:
        if container := self._known(identifier):
            with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                container.files |= {
                    member.name: file.read() for member in tar if (file := tar.extractfile(member)) is not None
                }
            self._send(200, b"")

    def start(self, _: bytes, identifier: str) -> None:
        if container := self._known(identifier):
            container.start()
            threading.Thread(target=self._run, args=(container,), daemon=True).start()
            self._send(204, b"")

    def _run(self, container: FakeContainer) -> None:
        variables = dict(item.partition("=")[::2] for item in container.config.get("Env") or [])
        program = Program(
            list(container.config.get("Cmd") or []),
            variables,
            container.files,
            container.printed.append,
            container.killed,
        )
        code = self.engine.behaviour(program)
        container.end(137 if container.killed.is_set() else code)

    def restart(self, _: bytes, identifier: str) -> None:
        if container := self._known(identifier):
            container.start()
            self._send(204, b"")

    def remove(self, _: bytes, identifier: str) -> None:
        if container := self._known(identifier):
            container.killed.set()
            del self.engine.containers[container.id]
            self._send(204, b"")


ONE = r"/containers/([^/]+)"
ROUTES = [
    ("GET", "/version", "version"),
    ("GET", "/containers/json", "listed"),
    ("POST", "/containers/create", "create"),
    ("GET", f"{ONE}/json", "inspected"),
    ("GET", f"{ONE}/stats", "stats"),
    ("GET", f"{ONE}/logs", "logs"),
    ("GET", f"{ONE}/archive", "archive"),
    ("PUT", f"{ONE}/archive", "put"),
    ("POST", f"{ONE}/start", "start"),
    ("POST", f"{ONE}/restart", "restart"),
    ("DELETE", ONE, "remove"),
]
