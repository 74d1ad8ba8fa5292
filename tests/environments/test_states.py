"""The tables of states hold for every pair of states: what they allow happens, what they do not is refused."""

from itertools import product

import pytest
from django.utils import timezone

from environments import states
from environments.actions import promotions
from environments.models import Promotion
from environments.states import JOB_MOVES, PROMOTION_MOVES, JobStatus, PromotionStatus

TABLES = [(PROMOTION_MOVES, PromotionStatus), (JOB_MOVES, JobStatus)]


@pytest.mark.parametrize(("moves", "enum"), TABLES)
def test_every_state_has_its_row(moves, enum):
    assert set(moves) == set(enum)


@pytest.mark.parametrize(("moves", "enum"), TABLES)
def test_sources_are_the_moves_read_backwards(moves, enum):
    for source, target in product(enum, enum):
        assert (source in states.sources(moves, target)) == (target in moves[source])


@pytest.mark.parametrize(("moves", "enum"), TABLES)
def test_nothing_moves_to_itself(moves, enum):
    assert not [state for state in enum if state in moves[state]]


@pytest.mark.parametrize(
    ("moves", "enum", "first"),
    [(PROMOTION_MOVES, PromotionStatus, PromotionStatus.ROLLING_OUT), (JOB_MOVES, JobStatus, JobStatus.QUEUED)],
)
def test_every_state_is_reached_and_every_one_leads_to_an_end(moves, enum, first):
    def reachable(state, seen=frozenset()):
        return seen if state in seen else seen.union({state}, *(reachable(to, seen | {state}) for to in moves[state]))

    ends = {state for state in enum if not moves[state]}
    assert reachable(first) == set(enum)
    assert all(reachable(state) & ends for state in enum)


@pytest.mark.parametrize(("source", "target"), list(product(PromotionStatus, PromotionStatus)))
def test_a_promotion_moves_as_its_table_says(by_ana, production, otter, source, target):
    promotion = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    Promotion.objects.filter(pk=promotion.pk).update(status=source)
    moved = promotions.settle(promotion=promotion, status=target, at=timezone.now())
    promotion.refresh_from_db()
    assert moved == (target in PROMOTION_MOVES[source])
    assert promotion.status == (target if moved else source)


def test_active_jobs_are_those_that_still_move():
    assert {state for state in JobStatus if JOB_MOVES[state]} == states.ACTIVE_JOBS
