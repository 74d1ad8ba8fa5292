"""Periodic steps run once in their time, however many clocks say so."""

from datetime import timedelta

import pytest

from environments.actions import slots

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def claim(now, step="sweep"):
    return slots.claim(step, now=now, next_at=now + MINUTE)


def test_a_step_is_due_at_first_and_then_once_in_its_time(django_now):
    assert claim(django_now) == django_now
    assert claim(django_now) is None
    assert claim(django_now + MINUTE / 2) is None
    assert claim(django_now + MINUTE) == django_now + MINUTE
    assert claim(django_now + MINUTE) is None


def test_it_tells_how_late_it_is(django_now):
    claim(django_now)
    assert claim(django_now + 10 * MINUTE) == django_now + MINUTE


def test_steps_do_not_wait_for_each_other(django_now):
    assert claim(django_now)
    assert claim(django_now, "scrub")


def test_a_clock_that_was_wrong_ends_no_step(django_now):
    claim(django_now + timedelta(days=4000))
    assert claim(django_now)
