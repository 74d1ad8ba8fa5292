"""Submitting, listing and claiming with 10,000 trainings in the queue, against the same with a hundred, a page full.

Of each the best of some rounds counts, which take turns: a busy neighbour only ever adds.
"""

from collections.abc import Iterator, Mapping

from tests import services
from tests.bench.installation import Installation, installation
from tests.bench.shared import database_and_cache
from tests.bench.table import Row, at_most, skipped

FEW, MANY, QUICK_MANY = 100, 10_000, 1000
ROUNDS, QUICK_ROUNDS = 3, 2
ASKED = 1.5
Costs = dict[str, dict[str, float]]


def rows(*, quick: bool) -> Iterator[Row]:
    many, rounds = (QUICK_MANY, QUICK_ROUNDS) if quick else (MANY, ROUNDS)
    yield from _compared("SQLite", many, rounds, {}, {})
    reason = services.missing("postgresql") or services.missing("redis")
    if reason:
        yield skipped(f"the queue with {many:,} jobs, PostgreSQL", reason)
        return
    with database_and_cache() as one, database_and_cache() as other:
        yield from _compared("PostgreSQL", many, rounds, one, other)


def _compared(database: str, many: int, count: int, one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Row]:
    with installation(variables=one) as small, installation(variables=other) as large:
        small.seed(f"queued({FEW})", of="job_seeds")
        large.seed(f"queued({many})", of="job_seeds")
        rounds = [(_costs(small), _costs(large)) for _ in range(count)]
    short, long = (_best(list(costs)) for costs in zip(*rounds, strict=True))
    for what in short:
        yield at_most(
            f"{what}, {many:,} jobs queued, {database}",
            long[what]["seconds"] / short[what]["seconds"],
            ASKED,
            measured=_shown(long[what]),
            against=f"{FEW} queued: {_shown(short[what])}",
        )
    more = max(long[what]["queries"] - short[what]["queries"] for what in short)
    yield at_most(f"queries more than with {FEW} jobs, {database}", more, 0)


def _costs(control_plane: Installation) -> Costs:
    found: Costs = control_plane.seed("costs()", of="job_seeds")
    return found


def _best(rounds: list[Costs]) -> Costs:
    return {what: min((costs[what] for costs in rounds), key=lambda cost: cost["seconds"]) for what in rounds[0]}


def _shown(cost: dict[str, float]) -> str:
    return f"{cost['seconds'] * 1000:.1f} ms, {cost['queries']:.0f} queries"
