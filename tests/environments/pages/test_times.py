"""Relative times and other figures as pages write them."""

from datetime import UTC, datetime, timedelta

import pytest

from environments.templatetags import pages

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "just now"), (41, "41 s ago"), (600, "10 min ago"), (7500, "2 h 5 min ago"), (50_000, "13 h ago")],
)
def test_a_time_today(seconds, words):
    assert pages.relative(NOW - timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(("days", "words"), [(1, "1 day ago"), (9, "9 days ago"), (40, "11 Oct"), (400, "16 Oct 2025")])
def test_a_time_before(days, words):
    assert pages.relative(NOW - timedelta(days=days), NOW) == words


def test_a_moment_is_told_as_one_looks_for_it():
    this_year = datetime.now(UTC).year
    at = datetime(this_year - 1, 11, 4, 9, 5, 7, tzinfo=UTC)
    assert f">{at:%a} 4 Nov {this_year - 1}, 09:05</time>" in pages.moment(at)
    assert f'title="{this_year - 1}-11-04 09:05:07 UTC"' in pages.moment(at)
    assert f">{at.replace(year=this_year):%a} 4 Nov, 09:05</time>" in pages.moment(at.replace(year=this_year))


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (1700, "1.7 kB"), (25_400_000, "25 MB"), (2 * 1024**3, "2.1 GB")]
)
def test_sizes(count, words):
    assert pages.size(count) == words


def test_every_state_has_a_sign():
    for kind, states in {
        "sync": pages.Sync,
        "health": pages.Health,
        "replica": pages.ReplicaState,
        "promotion": pages.PromotionStatus,
        "job": pages.JobStatus,
    }.items():
        for state in states:
            assert "<svg" in pages.sign(kind, state)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Run `rasa train`, then `x`.", "Run <code>rasa train</code>, then <code>x</code>."),
        ("`<b>` & <b>", "<code>&lt;b&gt;</code> &amp; &lt;b&gt;"),
        ("one ` alone", "one ` alone"),
        ("`` of nothing", "`` of nothing"),
        ("", ""),
    ],
)
def test_what_is_to_be_typed_is_shown_as_code(message, shown):
    assert pages.prose(message) == shown
