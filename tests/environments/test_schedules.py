"""Cron in a time zone: the right instants, also where clocks are put forward or back."""

from datetime import UTC, datetime
from itertools import islice

import pytest

from environments import schedules

BERLIN = "Europe/Berlin"


def after(cron, since, zone=BERLIN, count=4):
    """The next so many times, as `day hour:minute` in UTC."""
    schedule, now, found = schedules.parse(cron, zone), since, []
    for _ in range(count):
        now = schedules.next_due(schedule, now)
        found.append(f"{now:%d %H:%M}")
    return found


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_each_night_is_at_the_same_hour_there_in_winter_and_in_summer():
    assert after("0 3 * * *", at(2026, 3, 27, 12)) == ["28 02:00", "29 01:00", "30 01:00", "31 01:00"]


def test_a_time_that_the_clock_skips_comes_once_and_later():
    assert after("30 2 * * *", at(2026, 3, 28, 12), count=2) == ["29 01:30", "30 00:30"]


def test_a_time_that_comes_twice_counts_once():
    assert after("30 2 * * *", at(2026, 10, 24, 12), count=2) == ["25 00:30", "26 01:30"]


@pytest.mark.parametrize("day", [(2026, 3, 29), (2026, 10, 25)])
def test_every_twenty_minutes_goes_on_through_a_change_of_the_clock(day):
    schedule, start = schedules.parse("*/20 * * * *", BERLIN), at(*day, 0, 0)

    def times():
        now = start
        while True:
            now = schedules.next_due(schedule, now)
            yield (now - start).total_seconds() / 60

    assert list(islice(times(), 9)) == [20 * step for step in range(1, 10)]


def test_the_instant_itself_is_over():
    assert after("0 3 * * *", at(2026, 6, 1, 1), count=1) == ["02 01:00"]


def test_days_of_the_week_and_leap_days():
    assert after("0 3 * * mon-fri", at(2026, 6, 5, 12), count=1) == ["08 01:00"]
    schedule = schedules.parse("0 0 29 2 *", "UTC")
    assert schedules.next_due(schedule, at(2026, 1, 1)) == at(2028, 2, 29)


@pytest.mark.parametrize(
    "cron",
    ["", "0 3 * *", "0 3 * * * *", "0 25 * * *", "a b c d e", "*/0 * * * *", "0 3 * * 7", "0 0 31 2 *", "1- * * * *"],
)
def test_what_is_no_schedule_is_refused_with_an_example(cron):
    with pytest.raises(schedules.BadSchedule, match="each night at 03:00"):
        schedules.parse(cron, "UTC")


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "", "/etc/localtime", "Europe/"])
def test_what_is_no_time_zone_is_refused(name):
    with pytest.raises(schedules.BadSchedule, match="no time zone"):
        schedules.parse("0 3 * * *", name)


def test_a_schedule_is_told_in_words():
    assert schedules.words("0 3 * * 1-5") == "At 03:00, Monday through Friday"
    assert schedules.words("what is this") == "what is this"
