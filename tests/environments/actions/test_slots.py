"""Periodic steps run once in their time, however many clocks say so."""

from datetime import timedelta

import pytest

from environments.actions import slots

pytestmark = pytest.mark.django_db
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


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


def test_who_looked_at_the_clock_a_moment_earlier_does_not_run_it_again(django_now):
    """Two workers that got their messages at once: the later one was faster."""
    claim(django_now - MINUTE)
    moment = timedelta(milliseconds=20)
    assert claim(django_now + moment)
    assert claim(django_now) is None
    assert claim(django_now + MINUTE) is None
    assert claim(django_now + moment + MINUTE)


def test_nor_at_the_border_of_two_nights(django_now):
    def nightly(now):
        next_at = django_now if now < django_now else django_now + DAY
        return slots.claim("scrub", now=now, next_at=next_at, every=DAY)

    moment = timedelta(milliseconds=20)
    nightly(django_now - DAY)
    assert nightly(django_now)
    assert nightly(django_now - moment) is None
    assert nightly(django_now + moment) is None
    assert nightly(django_now + DAY)


def test_clocks_of_two_machines_may_be_a_little_apart(django_now):
    second = timedelta(seconds=1)
    ahead = django_now + second
    assert slots.claim("tick", now=ahead, next_at=ahead + second)
    assert slots.claim("tick", now=django_now, next_at=django_now + second) is None
