"""From a promotion by REST to its model live on a stock Rasa server that polls every two seconds."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from environments.clients.rasa import RasaClient
from tests import services
from tests.bench.installation import Installation, installation
from tests.bench.table import Row, at_most, skipped
from tests.live import RasaServer, wait_until
from tests.projects import CONFIG, DOMAIN, NLU, RULES

INTERVAL = 2
PROMOTIONS, QUICK_PROMOTIONS = 100, 10
MEDIAN, P99 = 2.0, 3.5
ENVIRONMENTS = f"""
rasa:
  production: {{{{url: "{{url}}", pull_interval: {INTERVAL}}}}}
"""
ENDPOINTS = """
models:
  url: {url}/api/projects/default/models/tags/production
  token: {token}
  wait_time_between_pulls: {interval}
"""


def rows(*, quick: bool) -> Iterator[Row]:
    what = f"promotion to live on real Rasa, a small model, polls every {INTERVAL} s"
    reason = services.missing("rasa")
    if reason:
        yield skipped(what, reason)
        return
    count = QUICK_PROMOTIONS if quick else PROMOTIONS
    with following() as (control_plane, server, models):
        took = sorted(_seconds_to_live(control_plane, server, name) for name in islice(cycle(models), count))
    measured = f"{count} promotions, worst {took[-1]:.2f} s"
    yield at_most(f"{what}: median", median(took), MEDIAN, unit=" s", measured=measured)
    yield at_most(f"{what}: p99", took[int(len(took) * 0.99)], P99, unit=" s", measured=measured)


@contextmanager
def following() -> Iterator[tuple[Installation, RasaServer, list[str]]]:
    """A control plane, a Rasa server that follows its production, and two models to promote in turn."""
    with (
        TemporaryDirectory(prefix="bench-rasa-") as folder,
        installation(ENVIRONMENTS.format(url="http://127.0.0.1:9")) as control_plane,
    ):
        token = control_plane.service_token("production")
        endpoints = ENDPOINTS.format(url=control_plane.url, token=token, interval=INTERVAL)
        server = RasaServer(Path(folder), endpoints=endpoints)
        try:
            server.wait()
            control_plane.declare(ENVIRONMENTS.format(url=server.url))
            models = ["calm-heron", "brisk-otter"]
            for name in models:
                _upload(control_plane, name, _trained(server, name))
            yield control_plane, server, models
        finally:
            server.stop()


def _trained(server: RasaServer, name: str) -> bytes:
    """A small model of its own: what it says differs."""
    document = "\n".join([CONFIG, DOMAIN.replace("Hello", f"Hello from {name}"), *(_inner(NLU), _inner(RULES))])
    with RasaClient(server.url, server.token).train(document.encode()) as trained:
        return b"".join(iter(lambda: trained.read(65536), b""))


def _inner(text: str) -> str:
    """Without the `version` line, which one document has once."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("version"))


def _upload(control_plane: Installation, name: str, archive: bytes) -> None:
    files = {"model": (f"{name}.tar.gz", archive, "application/gzip")}
    control_plane.http.post("/api/projects/default/models", files=files).raise_for_status()


def _seconds_to_live(control_plane: Installation, server: RasaServer, name: str) -> float:
    """From before the promotion is sent until the Rasa server has loaded its model. It comes at any moment between
    two polls."""
    time.sleep(random.uniform(0, INTERVAL))
    model_id = control_plane.http.get(f"/api/v1/models/{name}/").json()["model_id"]
    rasa = httpx.Client(base_url=server.url, timeout=30)
    begun = time.monotonic()
    control_plane.http.post("/api/v1/environments/production/promotions/", json={"model": name}).raise_for_status()
    with rasa:
        wait_until(lambda: rasa.get("/status").json().get("model_id") == model_id, 60, f"{name} on the Rasa server")
    return time.monotonic() - begun
