"""Since when polls are heard: what silence means depends on it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.models import Listening
from environments.serving import listening

NOW = timezone.now()
SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.django_db


def heard(*moments):
    """`(since, until)` in seconds from NOW, after a note at each of `moments`."""
    for moment in moments:
        listening.note(NOW + moment * SECOND)
    row = Listening.objects.get()
    return (row.since - NOW) / SECOND, (row.until - NOW) / SECOND


def test_it_goes_on_from_round_to_round():
    assert heard(0, 1, 2, 3) == (0, 3)


def test_after_a_gap_it_begins_anew():
    assert heard(0, 1, 60, 61) == (60, 61)


def test_after_a_clock_that_was_ahead_it_begins_anew():
    assert heard(7200, 7201, 0, 1) == (0, 1)


def test_clocks_of_two_processes_may_differ_a_little():
    assert heard(0, 1, 0.9, 2, 1.9) == (0, 1.9)
