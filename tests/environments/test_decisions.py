"""What a poll gets: rules of the decision, without a database."""

from dataclasses import replace

import hypothesis
import hypothesis.strategies as st
import pytest

from environments.decisions import (
    LATE,
    LONGER_FOR_GOOD,
    TRIES,
    Answer,
    Fallback,
    Record,
    Situation,
    broke_off,
    decide,
    forget_tries,
)

OTTER, HERON, FOX = "a" * 64, "b" * 64, "c" * 64
FRESH, RESTARTED = "1" * 32, "2" * 32


class Replica:
    """One replica that polls; what it gets is decided with `situation`."""

    def __init__(self, target=None, *, workers=1, interval=10.0, proven=(), loadable=True):
        self.record = Record()
        self.now = 1000.0
        self.proven = list(proven)
        self.situation = Situation(target, loadable, workers, interval, lambda: self.proven, promotion=1)

    def poll(self, etag, after=10.0):
        self.now += after
        known = len(etag) == 64
        decision = decide(self.record, etag=etag, known=known, situation=self.situation, now=self.now)
        self.record = decision.record
        return decision.answer, decision.model

    def fails_to_load(self, etag):
        for _ in range(TRIES):
            answer, _ = self.poll(etag)
            assert answer is Answer.SERVE

    def promote(self, target):
        self.situation = replace(self.situation, target=target, promotion=self.situation.promotion + 1)


SERVES_OTTER = (Answer.SERVE, OTTER)
NOT_MODIFIED = (Answer.NOT_MODIFIED, None)


def test_a_fresh_process_is_given_the_tags_model():
    assert Replica(OTTER).poll(FRESH) == SERVES_OTTER


def test_the_etag_of_the_tags_model_gets_not_modified_and_proves_it():
    replica = Replica(OTTER)
    replica.poll(FRESH)
    assert replica.poll(OTTER) == NOT_MODIFIED
    assert replica.record.proved == OTTER
    assert replica.record.proved_at == replica.now


def test_another_known_model_is_replaced():
    replica = Replica(OTTER)
    assert replica.poll(HERON) == SERVES_OTTER


def test_without_a_model_a_server_keeps_what_it_has():
    assert Replica(None).poll(HERON) == (Answer.NO_MODEL, None)


def test_three_downloads_without_the_new_etag_leave_a_process_with_its_model():
    replica = Replica(OTTER)
    replica.fails_to_load(HERON)
    assert replica.poll(HERON) == NOT_MODIFIED
    assert replica.record.stuck_since == replica.now
    assert replica.poll(HERON) == NOT_MODIFIED


def test_a_process_without_a_model_gets_the_last_proven_one_instead():
    replica = Replica(OTTER, proven=[OTTER, HERON, FOX])
    replica.fails_to_load(FRESH)
    assert replica.poll(FRESH) == (Answer.SERVE, HERON)
    assert replica.poll(HERON) == NOT_MODIFIED
    assert replica.record.stuck_since is not None


def test_where_the_fallback_fails_too_the_one_before_is_given():
    replica = Replica(OTTER, proven=[HERON, FOX])
    replica.fails_to_load(FRESH)
    assert [replica.poll(FRESH)[1] for _ in range(TRIES)] == [HERON] * TRIES
    assert replica.poll(FRESH) == (Answer.SERVE, FOX)


def test_a_restarted_process_is_a_new_one_and_tries_again():
    replica = Replica(OTTER, proven=[HERON])
    replica.fails_to_load(HERON)
    replica.poll(HERON)
    assert replica.poll(RESTARTED) == SERVES_OTTER


def test_ten_restarts_within_an_interval_always_get_a_model():
    replica = Replica(OTTER)
    for number in range(10):
        assert replica.poll(f"{number:032x}", after=0.5) == SERVES_OTTER
    assert replica.record.stuck_since is None


def test_retry_gives_the_model_again():
    replica = Replica(OTTER, proven=[HERON])
    replica.fails_to_load(FRESH)
    replica.poll(FRESH)
    assert replica.poll(HERON) == NOT_MODIFIED
    replica.record = forget_tries(replica.record)
    assert replica.poll(HERON) == SERVES_OTTER


def test_a_tag_that_moves_ends_being_stuck():
    replica = Replica(OTTER)
    replica.fails_to_load(HERON)
    replica.poll(HERON)
    replica.promote(FOX)
    assert replica.poll(HERON) == (Answer.SERVE, FOX)
    assert replica.record.stuck_since is None


def test_a_model_that_is_promoted_again_is_tried_again_though_no_poll_saw_the_one_between():
    replica = Replica(OTTER)
    replica.fails_to_load(HERON)
    replica.poll(HERON)
    replica.promote(FOX)
    replica.promote(OTTER)
    assert replica.poll(HERON) == SERVES_OTTER


def test_what_it_had_all_along_is_proved_anew_under_the_promotion_that_brings_it_back():
    replica = Replica(OTTER)
    replica.poll(OTTER)
    replica.record = replace(replica.record, proof_due=False)
    replica.promote(HERON)
    replica.promote(OTTER)
    assert replica.poll(OTTER) == NOT_MODIFIED
    assert (replica.record.proof_due, replica.record.proved_at) == (True, replica.now)


def test_a_transfer_that_broke_off_is_no_try():
    replica = Replica(OTTER)
    for number in range(3 * TRIES):
        assert replica.poll(HERON) == SERVES_OTTER
        replica.record = broke_off(replica.record, etag=HERON, model=OTTER)
        assert replica.record.broken == number + 1
    replica.fails_to_load(HERON)
    assert replica.poll(HERON) == NOT_MODIFIED


def test_a_transfer_found_broken_late_ends_being_stuck():
    replica = Replica(OTTER, proven=[FOX])
    replica.fails_to_load(FRESH)
    assert replica.poll(FRESH) == (Answer.SERVE, FOX)
    replica.record = broke_off(replica.record, etag=FRESH, model=OTTER)
    assert replica.record.stuck_since is None
    assert replica.poll(FOX) == SERVES_OTTER


def test_a_transfer_that_broke_off_after_the_tag_moved_changes_nothing():
    replica = Replica(OTTER)
    replica.poll(HERON)
    replica.promote(FOX)
    replica.poll(HERON)
    assert broke_off(replica.record, etag=HERON, model=OTTER) == replica.record


def test_rolling_back_to_what_it_kept_needs_no_download():
    replica = Replica(OTTER)
    replica.fails_to_load(HERON)
    replica.poll(HERON)
    replica.promote(HERON)
    assert replica.poll(HERON) == NOT_MODIFIED
    assert replica.record.stuck_since is None


def test_a_late_load_ends_being_stuck():
    replica = Replica(OTTER)
    replica.fails_to_load(HERON)
    replica.poll(HERON)
    assert replica.poll(OTTER) == NOT_MODIFIED
    assert replica.record.stuck_since is None


def test_four_workers_may_download_three_times_each():
    replica = Replica(OTTER, workers=4)
    answers = [replica.poll(HERON, after=2.5)[0] for _ in range(4 * TRIES + 1)]
    assert answers == [Answer.SERVE] * (4 * TRIES) + [Answer.NOT_MODIFIED]


def test_several_workers_prove_only_after_a_whole_interval_of_agreeing_polls():
    replica = Replica(OTTER, workers=2)
    replica.poll(HERON)
    replica.poll(OTTER, after=1)
    assert replica.record.proved is None
    replica.poll(HERON, after=1)
    replica.poll(OTTER, after=8)
    replica.poll(OTTER, after=5)
    assert replica.record.proved is None
    replica.poll(OTTER, after=5)
    assert replica.record.proved == OTTER


def test_a_worker_that_does_not_poll_is_not_proved_by_one_that_does():
    replica = Replica(OTTER, workers=2)
    replica.poll(FRESH)
    for _ in range(5):
        replica.poll(OTTER)
    assert replica.record.proved is None
    replica.poll(OTTER, after=3)
    assert replica.record.proved == OTTER


def workers_poll(replica, phases, *, rounds, etag=OTTER):
    """Each of the workers polls once in ten seconds, at its own moment of them."""
    for _ in range(rounds):
        before = 0.0
        for phase in phases:
            replica.poll(etag, after=phase - before)
            before = phase
        replica.now += 10 - before


WORKERS = st.sampled_from([2, 3, 4, 5, 8, 16])


def timetable(data, workers, *, rounds, late):
    """When polls come in order of time: of each worker once in ten seconds, by its own clock, and up to `late` late."""
    moments = st.lists(st.floats(0, 1), min_size=workers * (rounds + 1), max_size=workers * (rounds + 1))
    drawn = data.draw(moments)
    phases, delays = drawn[:workers], drawn[workers:]
    return sorted(
        10 * (number + phase) + late * delays[number * workers + worker]
        for worker, phase in enumerate(phases)
        for number in range(rounds)
    )


@hypothesis.given(WORKERS, st.data())
def test_all_workers_but_one_prove_nothing_however_late_their_polls_come(workers, data):
    replica = Replica(OTTER, workers=workers)
    for at in timetable(data, workers - 1, rounds=12, late=10 * LATE * 0.99):
        replica.poll(OTTER, after=1000 + at - replica.now)
    assert replica.record.proved is None


@hypothesis.given(WORKERS, st.data())
def test_all_workers_prove_however_their_polls_lie_to_each_other(workers, data):
    replica = Replica(OTTER, workers=workers)
    for at in timetable(data, workers, rounds=workers // 2 + 3, late=0.5):
        replica.poll(OTTER, after=1000 + at - replica.now)
    assert replica.record.proved == OTTER


def test_a_worker_that_loads_for_long_does_not_make_a_learned_interval_longer():
    replica = Replica(HERON, workers=4, interval=None)
    workers_poll(replica, [0, 2.5, 5, 7.5], rounds=6, etag=HERON)
    assert replica.record.proved == HERON
    replica.promote(OTTER)
    workers_poll(replica, [0, 2.5, 5, 7.5], rounds=1, etag=HERON)
    workers_poll(replica, [0, 2.5, 5], rounds=20)
    assert replica.record.proved is None
    workers_poll(replica, [0, 2.5, 5, 7.5], rounds=2)
    assert replica.record.proved == OTTER


def test_workers_that_poll_more_rarely_for_good_have_a_longer_interval():
    replica = Replica(OTTER, workers=2, interval=None)
    workers_poll(replica, [0, 5], rounds=6)
    replica.poll(FRESH)
    replica.poll(RESTARTED)
    for _ in range(int(LONGER_FOR_GOOD / 10) + 10):
        replica.poll(OTTER, after=15)
        replica.poll(OTTER, after=15)
    assert replica.record.proved == OTTER


def test_what_was_given_takes_the_proof_back_until_the_next_poll():
    replica = Replica(OTTER)
    replica.poll(OTTER)
    replica.promote(HERON)
    replica.poll(OTTER)
    assert replica.record.proved is None


def test_a_worker_that_loads_the_model_gives_another_no_new_tries():
    replica = Replica(OTTER, workers=2)
    served = 0
    for _ in range(20):
        served += replica.poll(HERON, after=5)[0] is Answer.SERVE
        replica.poll(OTTER, after=5)
    assert served == 2 * TRIES


def test_a_restart_takes_the_proof_back():
    replica = Replica(OTTER)
    replica.poll(OTTER)
    replica.poll(RESTARTED)
    assert replica.record.proved is None


def test_a_damaged_archive_is_an_error_that_leaves_the_model_loaded():
    replica = Replica(OTTER, loadable=False)
    assert replica.poll(HERON) == (Answer.UNAVAILABLE, None)


def test_with_nothing_loaded_a_damaged_archive_is_replaced_by_the_last_proven_until_it_heals():
    replica = Replica(OTTER, loadable=False, proven=[HERON])
    assert replica.poll(FRESH) == (Answer.SERVE, HERON)
    assert replica.record.fallback_why is Fallback.DAMAGED
    assert replica.poll(HERON) == NOT_MODIFIED
    replica.situation = replace(replica.situation, loadable=True)
    assert replica.poll(HERON) == SERVES_OTTER


def test_with_nothing_to_give_an_empty_server_is_left_alone():
    replica = Replica(OTTER, loadable=False)
    assert replica.poll(FRESH) == NOT_MODIFIED


def test_a_poll_that_changes_nothing_is_not_notable():
    replica = Replica(OTTER)
    replica.poll(OTTER)
    written = replace(replica.record, proof_due=False)
    decision = decide(written, etag=OTTER, known=True, situation=replica.situation, now=replica.now + 10)
    assert not decision.notable


def test_the_tries_of_old_processes_are_forgotten_in_the_end():
    replica = Replica(OTTER)
    for number in range(500):
        replica.poll(f"{number:032x}")
    assert len(replica.record.tries) <= 64


@pytest.mark.parametrize(
    ("gaps", "workers", "learned"),
    [
        ([], 1, None),
        ([10, 10, 11], 1, 10),
        ([0, 0, 0, 10, 0, 0, 0, 10], 4, 10),
        ([0.5, 0.5], 1, 2.0),
        ([10, 10, 60, 10], 1, 10),
    ],
)
def test_the_interval_is_learned_from_the_polls(gaps, workers, learned):
    replica = Replica(OTTER, workers=workers, interval=None)
    replica.poll(OTTER)
    for gap in gaps:
        replica.poll(OTTER, after=gap)
    assert replica.record.learned_interval(workers) == learned


def test_a_record_survives_being_written_as_json():
    replica = Replica(OTTER, loadable=False, proven=[HERON])
    replica.poll(FRESH)
    assert Record.from_json(replica.record.as_json()) == replica.record


# Frozen: the installation was restored, and nobody has decided yet


def frozen(target=OTTER, **options):
    replica = Replica(target, **options)
    replica.situation = replace(replica.situation, frozen=True)
    return replica


@pytest.mark.parametrize("target", [OTTER, None])
@pytest.mark.parametrize("etag", [OTTER, HERON])
def test_frozen_who_has_a_model_keeps_it(target, etag):
    replica = frozen(target, proven=[FOX])
    assert [replica.poll(etag) for _ in range(5)] == [NOT_MODIFIED] * 5
    assert replica.record.proved == etag


def test_frozen_a_model_that_came_after_the_backup_is_kept_too():
    replica = frozen()
    decision = decide(replica.record, etag=FOX, known=False, situation=replica.situation, now=1.0)
    assert decision.answer is Answer.NOT_MODIFIED
    assert decision.record.proved is None


def test_frozen_an_empty_one_gets_the_last_proven_model_and_not_the_tags():
    replica = frozen(proven=[HERON, FOX])
    assert replica.poll(FRESH) == (Answer.SERVE, HERON)
    assert replica.poll(HERON) == NOT_MODIFIED


def test_frozen_an_empty_one_that_cannot_load_the_last_proven_model_gets_the_one_before():
    replica = frozen(proven=[HERON, FOX])
    replica.fails_to_load(FRESH)
    assert replica.poll(FRESH) == (Answer.SERVE, FOX)


def test_frozen_an_empty_one_gets_the_tags_model_where_none_was_proved():
    assert frozen().poll(FRESH) == SERVES_OTTER


def test_frozen_an_empty_one_without_any_model_to_get_is_told_so():
    assert frozen(None).poll(FRESH) == (Answer.NO_MODEL, None)
    assert frozen(loadable=False).poll(FRESH) == (Answer.NO_MODEL, None)


def test_when_it_is_decided_everybody_gets_the_tags_model():
    replica = frozen(proven=[HERON])
    replica.poll(FRESH)
    replica.poll(HERON)
    replica.situation = replace(replica.situation, frozen=False)
    assert replica.poll(HERON) == SERVES_OTTER
