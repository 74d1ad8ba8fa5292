"""An unchanged poll by tag: against an empty view of the same process, and against itself with years of history.

The server has one core, the load the other. Rounds take turns, so that a noisy neighbour meets all of them.
"""

from collections.abc import Iterator
from statistics import median
from typing import Any

from tests import services
from tests.bench.installation import REPLICAS, Installation, installation, on_core
from tests.bench.load import Load, prepared, repeat
from tests.bench.shared import database_and_cache
from tests.bench.table import Row, at_least

CONNECTIONS = 32
ROUNDS, SECONDS = 9, 1.5


def polls(seeded: dict[str, str]) -> list[bytes]:
    """One unchanged poll of each replica."""
    headers = {"Authorization": f"Bearer {seeded['token']}", "If-None-Match": seeded["etag"]}
    path = "/api/projects/default/models/tags/production?replica=rasa-{}"
    return [prepared(path.format(number), headers) for number in range(REPLICAS)]


def spread(requests: list[bytes]) -> list[list[bytes]]:
    """The requests over the connections."""
    return [requests[number::CONNECTIONS] for number in range(CONNECTIONS)]


def measured(control_plane: Installation, requests: list[list[bytes]], seconds: float = SECONDS) -> Load:
    with on_core(-1):
        return repeat(control_plane.port, requests, seconds=seconds, expected=[304])


def shown(load: Load) -> str:
    return f"{load.rate:.0f}/s, median {load.median * 1000:.1f} ms, p99 {load.p99 * 1000:.1f} ms"


def middle(loads: list[Load]) -> Load:
    return sorted(loads, key=lambda load: load.rate)[len(loads) // 2]


def rows(*, quick: bool) -> Iterator[Row]:
    with on_core(0), installation() as small, installation() as large:
        polled = spread(polls(small.seed("promoted()")))
        large.seed("many(1000, 10_000)" if quick else "many()")
        polled_in_large = spread(polls(large.seed("promoted()")))
        empty = [[prepared("/bench/empty", {})]] * CONNECTIONS
        for control_plane, requests in ((small, polled), (large, polled_in_large)):
            measured(control_plane, requests)
        rounds = [
            (measured(small, empty), measured(small, polled), measured(large, polled_in_large)) for _ in range(ROUNDS)
        ]
    yield from _compared(rounds)
    yield from _with_services()


def _compared(rounds: list[tuple[Load, Load, Load]]) -> Iterator[Row]:
    empty, poll, poll_in_large = (middle(list(loads)) for loads in zip(*rounds, strict=True))
    yield at_least(
        "an unchanged poll, 100 replicas, one core",
        median(own.rate / nothing.rate for nothing, own, _ in rounds),
        0.3,
        measured=shown(poll),
        against=f"an empty view: {shown(empty)}",
    )
    yield at_least(
        "the same with 10,000 models, 100,000 promotions, 100 tags",
        median(large.rate / own.rate for _, own, large in rounds),
        0.9,
        measured=shown(poll_in_large),
        against="with one of each",
    )


def _with_services() -> Iterator[Row]:
    """On PostgreSQL and Redis, where they answer: information."""
    what = "an unchanged poll on PostgreSQL and Redis, one core"
    reason = services.missing("postgresql") or services.missing("redis")
    if reason:
        yield Row(what, figure="not measured", note=reason)
        return
    with database_and_cache() as variables, on_core(0), installation(variables=variables) as control_plane:
        polled = spread(polls(control_plane.seed("promoted()")))
        empty = [[prepared("/bench/empty", {})]] * CONNECTIONS
        measured(control_plane, polled)
        rounds: list[Any] = [(measured(control_plane, empty), measured(control_plane, polled)) for _ in range(3)]
    nothing, own = (middle(list(loads)) for loads in zip(*rounds, strict=True))
    ratio = median(poll.rate / empty.rate for empty, poll in rounds)
    yield Row(what, shown(own), f"an empty view: {shown(nothing)}", f"{ratio:.2f}")
