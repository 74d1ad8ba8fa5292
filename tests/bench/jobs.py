"""From a submit to the start of the training at an idle worker, and from a line that a job prints to its log by API.

Rasa is a fake one, which answers at once: what counts is what the control plane adds.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

from tests.bench.installation import Installation, installation
from tests.bench.table import Row, at_most
from tests.fake_rasa import FakeRasa
from tests.live import wait_until
from tests.projects import zipped

STARTS, QUICK_STARTS = 50, 10
START_ASKED = 1.0
RATE, SECONDS, QUICK_SECONDS = 1000, 20.0, 5.0
LINE_ASKED = 2.0
# As the page of a job asks.
FOLLOW_EVERY = 1.0
ENVIRONMENTS = """
rasa:
  production: {{url: "http://127.0.0.1:9"}}
  worker: {{url: "{url}"}}
"""


def rows(*, quick: bool) -> Iterator[Row]:
    with FakeRasa(always_new=True) as rasa:
        with _workshop(rasa, "web", "training") as control_plane:
            yield _starts(control_plane, rasa, QUICK_STARTS if quick else STARTS)
        with _workshop(rasa, "web") as control_plane:
            yield _log(control_plane, QUICK_SECONDS if quick else SECONDS)


@contextmanager
def _workshop(rasa: FakeRasa, *parts: str) -> Iterator[Installation]:
    with installation(ENVIRONMENTS.format(url=rasa.url), parts=parts) as control_plane:
        files = {"bundle": ("bundle.zip", zipped(), "application/zip")}
        control_plane.http.post("/api/v1/bundles/", files=files).raise_for_status()
        yield control_plane


def _starts(control_plane: Installation, rasa: FakeRasa, count: int) -> Row:
    _seconds_to_start(control_plane, rasa)
    took = sorted(_seconds_to_start(control_plane, rasa) for _ in range(count))
    measured = f"{count} trainings, p95 {took[int(count * 0.95)]:.2f} s, worst {took[-1]:.2f} s"
    return at_most(
        "submit to the start of the training, idle worker: median",
        median(took),
        START_ASKED,
        unit=" s",
        measured=measured,
    )


def _seconds_to_start(control_plane: Installation, rasa: FakeRasa) -> float:
    """From before the job is sent until the Rasa server is asked to train; the worker was idle."""
    rasa.requests.clear()
    begun = time.perf_counter()
    job = control_plane.http.post("/api/v1/jobs/", json={"kind": "training"}).raise_for_status().json()
    wait_until(lambda: _was_asked(rasa), 60, "a training")
    took = time.perf_counter() - begun
    ended = control_plane.http.get(f"/api/v1/jobs/{job['id']}/?wait=60").json()
    if ended["status"] != "succeeded":
        raise RuntimeError(f"The training ended badly: {ended}")
    time.sleep(random.uniform(0.2, 0.4))
    return took


def _was_asked(rasa: FakeRasa) -> bool:
    return any(path == "/model/train" for _, path, *_ in list(rasa.requests))


def _log(control_plane: Installation, seconds: float) -> Row:
    work = threading.Thread(target=partial(control_plane.seed, f"printing({RATE}, {seconds})", of="job_seeds"))
    work.start()
    delays = sorted(_delays(control_plane))
    work.join()
    if len(delays) != RATE * seconds:
        raise RuntimeError(f"Of {RATE * seconds:.0f} lines {len(delays)} came.")
    return at_most(
        f"a line of a job that prints {RATE:,} a second, in its log by API, asked every {FOLLOW_EVERY:g} s: p95",
        delays[int(len(delays) * 0.95)],
        LINE_ASKED,
        unit=" s",
        measured=f"{len(delays):,} lines, median {median(delays):.2f} s, worst {delays[-1]:.2f} s",
    )


def _delays(control_plane: Installation) -> Iterator[float]:
    """How long after it was printed each line of the job was there to be read."""
    http = control_plane.http
    wait_until(lambda: http.get("/api/v1/jobs/?status=running").json()["results"], 60, "a start of the job")
    [job] = http.get("/api/v1/jobs/?status=running").json()["results"]
    answer = {"next_offset": 0, "done": False}
    while not answer["done"]:
        answer = http.get(f"/api/v1/jobs/{job['id']}/log/", params={"offset": answer["next_offset"]}).json()
        now = time.time()
        lines = [line for line in answer["text"].splitlines() if line.startswith("line ")]
        yield from (now - float(line.rpartition(" ")[2]) for line in lines)
        time.sleep(FOLLOW_EVERY)
