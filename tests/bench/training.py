"""Training on a real Rasa server: what the control plane adds to Rasa's own `/model/train`, and what a training on the
worker does to those who chat with production. The worker's server has one core, all else the other."""

import io
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from environments import bundles
from environments.clients.rasa import RasaClient
from environments.packing import Limits
from tests import services
from tests.bench.installation import Installation, installation
from tests.bench.table import Row, at_most, skipped
from tests.live import RasaServer, wait_until
from tests.projects import CONFIG, NLU, tree, zipped

WORKER_CORE, OTHER_CORE = 1, 0
TRAININGS, QUICK_TRAININGS = 9, 3
MESSAGES, QUICK_MESSAGES = 400, 100
# Of what Rasa takes itself, or seconds, whichever is more.
OVERHEAD, OVERHEAD_SECONDS = 0.1, 1.0
SLOWER = 1.2
LONG = CONFIG.split("pipeline")[0] + (
    "pipeline: [{name: WhitespaceTokenizer}, {name: CountVectorsFeaturizer}, {name: DIETClassifier, epochs: 400}]\n"
    "policies: [{name: RulePolicy}]\n"
)
ENVIRONMENTS = """
rasa:
  production: {{url: "{production}"}}
  worker: {{url: "{worker}"}}
"""


def rows(*, quick: bool) -> Iterator[Row]:
    reason = services.missing("rasa") or ("it needs two cores" if (os.cpu_count() or 1) < 2 else None)
    if reason:
        yield skipped("training on a real Rasa server", reason)
        return
    with _two_servers() as (control_plane, production, worker):
        yield _overhead(control_plane, worker, QUICK_TRAININGS if quick else TRAININGS)
        yield _chat(control_plane, production, QUICK_MESSAGES if quick else MESSAGES)


@contextmanager
def _two_servers() -> Iterator[tuple[Installation, RasaServer, RasaServer]]:
    """A control plane, its production server with a model, and its worker."""
    cores = os.sched_getaffinity(0)
    with TemporaryDirectory(prefix="bench-training-") as folder:
        servers: list[RasaServer] = []
        try:
            for name, core in (("worker", WORKER_CORE), ("production", OTHER_CORE)):
                os.sched_setaffinity(0, {core})
                (Path(folder) / name).mkdir()
                servers.append(RasaServer(Path(folder) / name))
            worker, production = servers
            declared = ENVIRONMENTS.format(production=production.url, worker=worker.url)
            with installation(declared, parts=("web", "training", "default", "beat")) as control_plane:
                for server in servers:
                    server.wait()
                _load(production, Path(folder) / "model.tar.gz")
                yield control_plane, production, worker
        finally:
            os.sched_setaffinity(0, cores)
            for server in servers:
                server.stop()


def _project() -> bytes:
    """Another one each time, so that Rasa takes nothing of it from its cache."""
    return zipped(tree(data__nlu=NLU.replace("- hello", f"- hello {random.getrandbits(64):x}")))


def _directly(server: RasaServer, project: bytes, config: str = "") -> bytes:
    document = bundles.read(io.BytesIO(project), Limits()).document(config)
    with RasaClient(server.url, server.token).train(document) as trained:
        return b"".join(iter(lambda: trained.read(65536), b""))


def _load(server: RasaServer, path: Path) -> None:
    path.write_bytes(_directly(server, _project()))
    _put_model(server, path)


def _put_model(server: RasaServer, path: Path) -> None:
    httpx.put(f"{server.url}/model", json={"model_file": str(path)}, timeout=120).raise_for_status()


def _overhead(control_plane: Installation, worker: RasaServer, count: int) -> Row:
    _directly(worker, _project())  # what Rasa loads once is loaded
    own, ours = [], []
    for _ in range(count):
        own.append(_seconds(lambda: _directly(worker, _project())))
        _send(control_plane, _project())
        ours.append(_seconds(lambda: _train(control_plane)))
    return at_most(
        "a training of a small project: what is added to Rasa's own /model/train",
        median(ours) - median(own),
        max(OVERHEAD_SECONDS, OVERHEAD * median(own)),
        unit=" s",
        measured=f"{count} trainings, median {median(ours):.2f} s",
        against=f"/model/train: median {median(own):.2f} s",
    )


def _seconds(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _send(control_plane: Installation, project: bytes) -> None:
    files = {"bundle": ("bundle.zip", project, "application/zip")}
    control_plane.http.post("/api/v1/bundles/", files=files).raise_for_status()


def _submit(control_plane: Installation, **body: Any) -> str:
    made = control_plane.http.post("/api/v1/jobs/", json={"kind": "training", **body})
    return str(made.raise_for_status().json()["id"])


def _train(control_plane: Installation) -> None:
    job = _submit(control_plane)
    ended = control_plane.http.get(f"/api/v1/jobs/{job}/?wait=120").json()
    if ended["status"] != "succeeded":
        raise RuntimeError(f"The training ended badly: {ended}")


def _chat(control_plane: Installation, production: RasaServer, count: int) -> Row:
    _messages(control_plane, 20)
    before = _messages(control_plane, count)
    job = _submit(control_plane, config=LONG)
    wait_until(lambda: _job(control_plane, job)["step"].startswith("training on"), 60, "a training")
    during: list[float] = []
    while len(during) < count and _job(control_plane, job)["status"] == "running":
        during += _messages(control_plane, 10)
    still = _job(control_plane, job)["status"] == "running"
    control_plane.http.post(f"/api/v1/jobs/{job}/cancel/")
    if len(during) < count / 2 or (not still and len(during) < count):
        raise RuntimeError(f"The training ended after {len(during)} messages.")
    alone, beside = _p95(before), _p95(during)
    return at_most(
        "a chat with production while the worker trains, p95",
        beside / alone,
        SLOWER,
        measured=f"{len(during)} messages, p95 {beside * 1000:.1f} ms, median {median(during) * 1000:.1f} ms",
        against=f"without a training: p95 {alone * 1000:.1f} ms, median {median(before) * 1000:.1f} ms",
    )


def _job(control_plane: Installation, job: str) -> dict[str, Any]:
    found: dict[str, Any] = control_plane.http.get(f"/api/v1/jobs/{job}/").json()
    return found


def _messages(control_plane: Installation, count: int) -> list[float]:
    took = []
    for number in range(count):
        path = f"/api/conversations/bench-{number % 20}/messages?environment=production"
        begun = time.perf_counter()
        answer = control_plane.http.post(path, json={"message": "hi"}).raise_for_status().json()
        took.append(time.perf_counter() - begun)
        if not answer:
            raise RuntimeError("Production answered nothing.")
    return took


def _p95(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.95)]
