"""Counts that web processes keep together: none is lost, none counts twice, and no request waits for them."""

import threading

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments.metric_families import SUM, PollAnswer, Route
from environments.serving import listening, outages, traffic
from tests import services

KEY = traffic.poll_key("default", "production", PollAnswer.NOT_MODIFIED)
NOBODY = "redis://127.0.0.1:1/0"
THREADS, TIMES = 8, 200


@pytest.fixture(autouse=True)
def nothing_counted():
    traffic.forget()
    yield
    traffic.forget()


@pytest.fixture
def shared(settings):
    """A cache that several processes share."""
    settings.CACHES = redis_at(services.REDIS_URL)
    cache.clear()
    yield
    cache.clear()


def redis_at(url):
    options = {"socket_timeout": 1, "socket_connect_timeout": 1}
    return {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url, "OPTIONS": options}}


def polled(times=1):
    for _ in range(times):
        traffic.polled("default", "production", PollAnswer.NOT_MODIFIED)


def total():
    return traffic.totals([KEY])


def test_without_a_shared_cache_the_one_process_knows_all(settings):
    settings.CACHES = {"default": {"BACKEND": "controlplane.memory_cache.PlainLocMemCache", "LOCATION": "x"}}
    polled(2)
    assert total() == {KEY: 2}
    polled()
    assert total() == {KEY: 3}


@pytest.mark.redis
def test_every_process_tells_what_all_have_counted(shared):
    polled(3)
    assert total() == {KEY: 3}
    traffic.forget()  # another process, or this one after a restart
    polled(4)
    assert total() == {KEY: 7}


@pytest.mark.redis
def test_a_process_that_ends_leaves_its_counts_behind(shared):
    polled(5)
    assert traffic.publish()
    traffic.forget()
    assert total() == {KEY: 5}


@pytest.mark.redis
def test_threads_that_count_and_publish_at_once_lose_nothing(shared):
    def count():
        for _ in range(TIMES):
            polled()
            traffic.publish_if_due()
        traffic.publish()

    threads = [threading.Thread(target=count) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total() == {KEY: THREADS * TIMES}


@pytest.mark.redis
def test_a_cache_that_is_away_is_told_and_gets_the_counts_when_it_is_back(shared, settings):
    polled(2)
    assert total() == {KEY: 2}
    settings.CACHES = redis_at(NOBODY)
    polled(3)
    assert total() is None
    settings.CACHES = redis_at(services.REDIS_URL)
    outages.cache.reset()
    polled()
    assert total() == {KEY: 6}


@pytest.mark.redis
def test_a_cache_that_was_emptied_begins_anew(shared):
    polled(2)
    assert total() == {KEY: 2}
    cache.clear()
    polled()
    assert total() == {KEY: 1}


def test_counting_asks_neither_cache_nor_database(db, settings):
    settings.CACHES = redis_at(NOBODY)
    with CaptureQueriesContext(connection) as captured:
        polled()
        traffic.answered(Route.POLL, 304, 0.002)
    assert (len(captured), outages.cache.away) == (0, False)


def test_a_cache_that_is_away_does_not_keep_the_clock_from_its_work(db, settings, monkeypatch):
    """One look at it, then the heartbeats, as always."""
    settings.CACHES = redis_at(NOBODY)
    ticked, stop = threading.Event(), threading.Event()
    monkeypatch.setattr(listening, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(listening, "tick", lambda now: ticked.set())
    polled()
    thread = threading.Thread(target=listening._run, args=(stop, lambda: True))
    thread.start()
    came = ticked.wait(30)
    stop.set()
    thread.join()
    assert came


def test_seconds_are_in_the_first_bucket_that_holds_them(settings):
    settings.CACHES = {"default": {"BACKEND": "controlplane.memory_cache.PlainLocMemCache", "LOCATION": "x"}}
    for seconds in (0.0, 0.005, 0.006, 10.0, 11.5):
        traffic.answered(Route.API, 200, seconds)
    keys = {label: traffic.duration_key(Route.API, label) for label in ("0.005", "0.01", "10", "+Inf", SUM)}
    found = traffic.totals(keys.values())
    assert {label: found[key] for label, key in keys.items()} == {
        "0.005": 2,
        "0.01": 1,
        "10": 1,
        "+Inf": 1,
        SUM: 21_511_000,
    }
