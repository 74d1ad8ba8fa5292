"""What an environment says of itself over time, and what its Rasa servers say: to be compared."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from environments.clients.rasa import RasaClient, RasaError
from tests.live import ControlPlane, RasaServer

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Sample:
    """What the API answered; `at` is when the answer was there, by the monotonic clock."""

    at: float
    report: Report


def report_of(control_plane: ControlPlane, environment: str) -> Report:
    response = control_plane.http.get(f"/api/v1/environments/{environment}/")
    assert response.status_code == 200, response.text
    report: Report = response.json()
    return report


def samples_until(
    control_plane: ControlPlane,
    environment: str,
    condition: Callable[[Report], object],
    seconds: float,
    what: str,
    *,
    every: float = 0.1,
) -> list[Sample]:
    """Ask again and again until the answer fulfils the condition; all answers, that one as the last."""
    begun, samples = time.monotonic(), []
    while True:
        report = report_of(control_plane, environment)
        samples.append(Sample(time.monotonic(), report))
        if condition(report):
            return samples
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"{what} did not happen within {seconds:.0f} s; the last answer was {dict(report)}")
        time.sleep(every)


def is_well(report: Report) -> bool:
    return report["sync"] == "in_sync" and report["health"] == "healthy"


def promote(control_plane: ControlPlane, environment: str, model: str, *, force: bool = False) -> Report:
    """The promotion, a new one or the present one."""
    body = {"model": model, "force": force}
    response = control_plane.http.post(f"/api/v1/environments/{environment}/promotions/", json=body)
    assert response.status_code in (200, 201), response.text
    promotion: Report = response.json()
    return promotion


def said_by(server: RasaServer) -> list[str]:
    """What it answers to "hello"; nothing where it does not answer."""
    try:
        return [answer["text"] for answer in RasaClient(server.url).send_message("watching", "hello")]
    except RasaError:
        return []


# Promotions, measured


@dataclass
class Measured:
    """`seconds` from each promotion to the first answer by the new model, of the last server. `claims` of `in_sync`
    were compared with what the servers answered next."""

    seconds: list[float] = field(default_factory=list)
    claims: int = 0
    false_in_sync: int = 0
    false_stuck: int = 0


def measure_promotions(
    control_plane: ControlPlane,
    environment: str,
    servers: Sequence[RasaServer],
    models: Mapping[str, str],
    *,
    count: int,
    interval: float,
) -> Measured:
    """Promote `models` (name → what it says to "hello"), which all load, one after another, each at a random moment
    of the pull interval."""
    measured, names = Measured(), list(models)
    for number in range(count):
        time.sleep(random.uniform(0, interval))
        model = names[number % len(names)]
        promote(control_plane, environment, model)
        _watch(measured, control_plane, environment, servers, models[model])
    return measured


def _watch(
    measured: Measured, control_plane: ControlPlane, environment: str, servers: Sequence[RasaServer], text: str
) -> None:
    """Until every server answers by the new model, and the control plane says so too."""
    begun, live = time.monotonic(), False
    while True:
        report = report_of(control_plane, environment)
        claimed = report["sync"] == "in_sync"
        true = all(said_by(server) == [text] for server in servers)
        now = time.monotonic()
        measured.claims += claimed
        measured.false_in_sync += claimed and not true
        measured.false_stuck += bool(report["replicas"]["stuck"])
        if true and not live:
            live = True
            measured.seconds.append(now - begun)
        if live and claimed:
            return
        assert now - begun < 60, f"{text!r} from all servers did not come: {dict(report)}"
        time.sleep(0.02)
