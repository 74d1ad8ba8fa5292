"""Promotion and reading a tag over REST, against the alias of MLflow's registry: the same client, the same connections,
and one core for each server.

MLflow is installed into a cache folder of its own, outside the repository; where it cannot be, its rows are skipped.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx

from tests.bench.installation import Installation, installation, on_core
from tests.bench.load import Load, prepared, repeat
from tests.bench.table import Row, at_least, skipped
from tests.live import Process, free_port

VERSION = "3.17.2"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rasa-control-plane-bench"
INSTALL_SECONDS, START_SECONDS = 600, 300.0

CONNECTIONS = 4
ROUNDS, SECONDS = 5, 4.0
WRITE = "promotion by REST: grant, history, audit"
READ = "reading a tag"
API = "/api/2.0/mlflow"


class NotInstallable(Exception):
    """MLflow cannot be had here."""


def mlflow_program() -> Path:
    """The `mlflow` command of the version compared with; installed at the first call."""
    folder = CACHE / f"mlflow-{VERSION}"
    program = folder / "bin" / "mlflow"
    if (folder / "complete").exists():
        return program
    uv = str(Path(sys.executable).with_name("uv"))
    _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    _run(uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), f"mlflow=={VERSION}")
    (folder / "complete").touch()
    return program


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        raise NotInstallable(error.stderr.strip().splitlines()[-1]) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstallable(str(error)) from error


@contextmanager
def mlflow(program: Path) -> Iterator[int]:
    """The port of `mlflow server` as it starts by default, with its SQLite file in a temporary folder."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-mlflow-") as folder:
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "HOME": folder}
        command = [str(program), "server", "--host", "127.0.0.1", "--port", str(port)]
        server = Process(command, folder=Path(folder), environment=environment, log=Path(folder) / "log")
        try:
            server.wait_for(f"http://127.0.0.1:{port}/health", START_SECONDS)
            yield port
        finally:
            server.stop()


def mlflow_requests(port: int) -> tuple[list[list[bytes]], list[list[bytes]]]:
    """Writes and reads of an alias, for each connection one of its own, which moves between two versions."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}{API}", timeout=60) as http:
        http.post("/registered-models/create", json={"name": "otter"}).raise_for_status()
        for _ in range(2):
            version = {"name": "otter", "source": "s3://models/otter"}
            http.post("/model-versions/create", json=version).raise_for_status()
    path = f"{API}/registered-models/alias"
    writes = [
        [_post(path, {"name": "otter", "alias": f"alias-{number}", "version": version}) for version in ("1", "2")]
        for number in range(CONNECTIONS)
    ]
    reads = [[prepared(f"{path}?name=otter&alias=alias-{number}", {})] for number in range(CONNECTIONS)]
    return writes, reads


def _post(path: str, body: dict[str, str], headers: dict[str, str] | None = None) -> bytes:
    return prepared(path, headers or {}, method="POST", body=body)


def own_requests(control_plane: Installation) -> tuple[list[list[bytes]], list[list[bytes]]]:
    """The same of ours: for each connection an environment of its own, promoted to and fro between two models, and
    the tag read as a Rasa server reads it."""
    seeded = control_plane.seed(f"pairs({CONNECTIONS})")
    headers = {"Authorization": f"Bearer {control_plane.token}"}
    writes = [
        [_post(f"/api/v1/environments/{pair['environment']}/promotions/", {"model": name}, headers) for name in models]
        for pair in seeded
        if (models := pair["models"])
    ]
    reads = [
        [
            prepared(
                f"/api/projects/default/models/tags/{pair['environment']}?replica=rasa-0",
                {"Authorization": f"Bearer {pair['token']}", "If-None-Match": pair["etag"]},
            )
        ]
        for pair in seeded
    ]
    return writes, reads


def rows(*, quick: bool) -> Iterator[Row]:
    try:
        program = mlflow_program()
    except NotInstallable as error:
        yield skipped(WRITE, f"MLflow {VERSION} cannot be installed: {error}")
        yield skipped(READ, f"MLflow {VERSION} cannot be installed.")
        return
    with on_core(0), mlflow(program) as port, installation() as control_plane:
        own, theirs = own_requests(control_plane), mlflow_requests(port)
        for what, asked, mine, other, expected in (
            (READ, 20, own[1], theirs[1], [200, 304]),
            (WRITE, 5, own[0], theirs[0], [200, 201]),
        ):
            if what == READ:
                repeat(port, theirs[0], seconds=1, expected=[200])
            rounds = [
                (_measured(control_plane.port, mine, expected), _measured(port, other, expected))
                for _ in range(1 if quick else ROUNDS)
            ]
            yield _row(what, asked, rounds)


def _measured(port: int, requests: Sequence[Sequence[bytes]], expected: list[int]) -> Load:
    with on_core(-1):
        return repeat(port, requests, seconds=SECONDS, expected=expected)


def _row(what: str, asked: float, rounds: list[tuple[Load, Load]]) -> Row:
    mine, other = rounds[len(rounds) // 2]
    return at_least(
        what,
        median(own.rate / theirs.rate for own, theirs in rounds),
        asked,
        measured=f"{mine.rate:.0f}/s, median {mine.median * 1000:.1f} ms",
        against=f"MLflow {VERSION}: {other.rate:.0f}/s, median {other.median * 1000:.1f} ms",
    )
