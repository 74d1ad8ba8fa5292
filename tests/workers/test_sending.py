"""Sending beside the tasks of a worker: one thread at a time, which a fault does not end for good."""

import threading
import time

import pytest

from environments import delivering
from tests.live import wait_until
from workers import sending
from workers.tasks import notifying


@pytest.fixture
def rounds(monkeypatch):
    """What the thread does, in place of sending; each round waits until it may end."""

    class Rounds:
        begun = 0
        may_end = threading.Event()
        fault: Exception | None = None

        def __call__(self):
            self.begun += 1
            if self.fault:
                raise self.fault
            self.may_end.wait(10)
            return 0

    rounds = Rounds()
    monkeypatch.setattr(delivering, "deliver_due", rounds)
    yield rounds
    rounds.may_end.set()
    wait_until(lambda: not sending._busy.locked(), 10, "the last round is over")


def test_the_task_ends_at_once_however_long_a_target_hangs(rounds):
    began = time.monotonic()
    notifying.deliver()
    assert time.monotonic() - began < 2
    wait_until(lambda: rounds.begun == 1, 10, "a round")


def test_there_is_one_at_a_time(rounds):
    assert sending.start()
    assert not sending.start()
    rounds.may_end.set()
    wait_until(sending.start, 10, "another round")
    wait_until(lambda: rounds.begun == 2, 10, "it has begun")


def test_a_fault_ends_one_round_alone(rounds):
    rounds.fault = RuntimeError("the database is away")
    sending.start()
    wait_until(lambda: rounds.begun == 1 and not sending._busy.locked(), 10, "the round with the fault")
    rounds.fault = None
    assert sending.start()
