"""`?wait=`: held until it is finished, for so many at a time, and never for longer than asked."""

import time

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from accounts.problems import BadRequest
from environments.api import limits, waits


def asked(wait):
    return Request(APIRequestFactory().get("/", {"wait": wait}))


class Finishing:
    """Finished when it was asked so often."""

    def __init__(self, after):
        self.after, self.asked = after, 0

    def __call__(self):
        self.asked += 1
        return self.asked > self.after


def test_it_returns_as_soon_as_it_is_finished():
    began, finishing = time.monotonic(), Finishing(after=2)
    waits.hold(asked("60"), finishing)
    assert finishing.asked == 3
    assert time.monotonic() - began < 5


def test_it_returns_when_the_seconds_are_over():
    began = time.monotonic()
    waits.hold(asked("0.3"), lambda: False)
    assert 0.3 <= time.monotonic() - began < 5


def test_without_a_wait_nothing_is_asked():
    finishing = Finishing(after=5)
    waits.hold(Request(APIRequestFactory().get("/")), finishing)
    assert finishing.asked == 0


def test_where_too_many_wait_the_present_state_is_the_answer(settings):
    settings.MAX_WAITS = 0
    finishing = Finishing(after=5)
    waits.hold(asked("60"), finishing)
    assert finishing.asked == 1


def test_the_slot_is_given_back_whatever_happens(settings):
    settings.MAX_WAITS = 1
    answers = iter([False])

    def fails():
        return next(answers)

    with pytest.raises(StopIteration):
        waits.hold(asked("60"), fails)
    assert limits.WAITS.try_acquire()
    limits.WAITS.release()


def test_nobody_waits_longer_than_five_minutes():
    assert waits.seconds_of(asked("86400")) == 300


@pytest.mark.parametrize("text", ["-1", "soon", "1e3", "", ".", "٣", "9" * 10, "1.2.3", " 1"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(BadRequest, match="at most 300"):
        waits.seconds_of(asked(text))
