"""The main job over HTTP alone, as a CI would do it: train, promote to experimental, talk, promote to production, talk.

CONTROLPLANE_URL=http://localhost:5002 CONTROLPLANE_TOKEN=cpt_… python demo/main_job.py
"""

import io
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ASSISTANT = Path(__file__).with_name("assistant")
CONVERSATION = ("hello", "when do you open?", "I lost my card", "yes please", "thanks")
START_SECONDS = 300.0
TRAINING_SECONDS = 300.0
PROMOTION_SECONDS = 120.0

Json = dict[str, Any]


class Failed(Exception):
    """A step did not do what it should; the message says what came instead."""


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 (a script: its output is its product)


@contextmanager
def step(title: str, seconds: dict[str, float]) -> Iterator[None]:
    say(f"{title} …")
    begun = time.monotonic()
    yield
    seconds[title] = time.monotonic() - begun
    say(f"    done in {seconds[title]:.1f} s")


def wait_for(condition: Callable[[], str], seconds: float) -> None:
    """Until `condition` says nothing more is missing (""); else `Failed` with what it said last."""
    deadline = time.monotonic() + seconds
    while missing := condition():
        if time.monotonic() > deadline:
            raise Failed(f"{missing} after {seconds:.0f} s")
        time.sleep(0.5)


class ControlPlane:
    """The few calls the main job needs."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=90)

    def call(self, method: str, path: str, **options: Any) -> Any:
        response = self.http.request(method, path, **options)
        if response.is_error:
            raise Failed(f"{method} {path} answered {response.status_code}: {response.text[:1000]}")
        return response.json()

    def missing_at_start(self) -> str:
        """What does not answer yet."""
        try:
            environments = self.call("GET", "/api/v1/environments/")["results"]
        except httpx.TransportError:
            return "the control plane does not answer"
        silent = [each["name"] for each in environments if each["health"] != "healthy"]
        return f"the Rasa servers of {', '.join(silent)} are not ready" if silent else ""

    def train(self, bundle: bytes, say_step: Callable[[str], None]) -> str:
        """The name of the model that the worker trained from the bundle."""
        files = {"bundle": ("assistant.zip", bundle, "application/zip")}
        stored = self.call("POST", "/api/v1/bundles/", files=files)
        job = self.call("POST", "/api/v1/jobs/", json={"kind": "training", "bundle": stored["id"]})
        deadline = time.monotonic() + TRAINING_SECONDS
        while job["status"] in ("queued", "running") and time.monotonic() < deadline:
            say_step(f"    the training is {job['status']}")
            job = self.call("GET", f"/api/v1/jobs/{job['id']}/", params={"wait": 20})
        if job["status"] != "succeeded":
            raise Failed(f"the training is {job['status']}: {job['error_detail'] or 'no reason was given'}")
        return str(job["model"])

    def promote(self, model: str, environment: str) -> Json:
        """The promotion, once every expected replica has proved the model."""
        body = {"model": model, "reason": "the demo"}
        promotion = self.call("POST", f"/api/v1/environments/{environment}/promotions/", json=body)
        deadline = time.monotonic() + PROMOTION_SECONDS
        while promotion["status"] == "rolling_out" and time.monotonic() < deadline:
            promotion = self.call("GET", f"/api/v1/promotions/{promotion['id']}/", params={"wait": 60})
        if promotion["status"] != "succeeded":
            detail = promotion["error_detail"] or "no replica has proved it"
            raise Failed(f"the promotion to {environment} is {promotion['status']}: {detail}")
        return dict(promotion)

    def talk(self, environment: str, message: str) -> tuple[str, str]:
        """What the bot answers, and the model that answered."""
        path = "/api/conversations/demo/messages"
        response = self.http.post(path, params={"environment": environment}, json={"message": message})
        if response.is_error:
            raise Failed(f"{environment} answered {response.status_code}: {response.text[:1000]}")
        texts = [answer["text"] for answer in response.json() if "text" in answer]
        if not texts:
            raise Failed(f"{environment} said nothing to {message!r}")
        return " ".join(texts), response.headers.get("X-Model", "")


def packed(folder: Path) -> bytes:
    """The assistant as a zip; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in sorted(folder.rglob("*.yml")):
            bundle.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes())
    return buffer.getvalue()


def converse(control_plane: ControlPlane, environment: str, model: str) -> None:
    for message in CONVERSATION:
        answer, answered_by = control_plane.talk(environment, message)
        say(f"    you: {message}")
        say(f"    bot: {answer}")
        if answered_by != model:
            raise Failed(f"{answered_by or 'an unnamed model'} answered in {environment}, not {model}")


def main_job(control_plane: ControlPlane) -> dict[str, float]:
    """Does it, and returns the seconds of each step."""
    seconds: dict[str, float] = {}
    with step("Wait for the control plane and its Rasa servers", seconds):
        wait_for(control_plane.missing_at_start, START_SECONDS)
    with step("Train the assistant on the worker", seconds):
        model = control_plane.train(packed(ASSISTANT), say)
        say(f"    the new model is {model}")
    for environment in ("experimental", "production"):
        with step(f"Promote {model} to {environment}", seconds):
            promotion = control_plane.promote(model, environment)
            say(f"    proved by its replicas after {promotion['seconds'] or 0:.1f} s")
        with step(f"Talk to the bot in {environment}", seconds):
            converse(control_plane, environment, model)
    return seconds


def main() -> int:
    control_plane = ControlPlane(os.environ["CONTROLPLANE_URL"], os.environ["CONTROLPLANE_TOKEN"])
    try:
        seconds = main_job(control_plane)
    except (Failed, httpx.HTTPError) as failure:
        say(f"The demo failed: {failure}")
        return 1
    say("The main job is done:")
    for title, took in seconds.items():
        say(f"    {took:6.1f} s  {title}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
