"""The cache in the memory of the one web process keeps the ledger: every replica, as it is."""

import threading
import time

import pytest

from controlplane.memory_cache import PlainLocMemCache


@pytest.fixture
def cache():
    kept = PlainLocMemCache("tests", {})
    kept.clear()
    yield kept
    kept.clear()


def test_it_gives_back_what_was_put_in_and_no_copy(cache):
    value = object()
    cache.set("replica", value)
    assert cache.get("replica") is value
    assert cache.get_many(["replica", "another"]) == {"replica": value}


def test_a_thousand_replicas_are_all_kept(cache):
    for number in range(1000):
        cache.set(f"replica-{number}", number)
    assert len(cache.get_many([f"replica-{number}" for number in range(1000)])) == 1000


def test_of_too_many_the_longest_unheard_go(cache, monkeypatch):
    monkeypatch.setattr("controlplane.memory_cache.ENTRIES", 2)
    for key in ("first", "second", "first", "third"):
        cache.set(key, key)
    assert cache.get_many(["first", "second", "third"]) == {"first": "first", "third": "third"}


def test_nothing_is_kept_for_longer_than_was_said(cache, monkeypatch):
    cache.set("replica", "heard", timeout=10)
    cache.set("for ever", "heard", timeout=None)
    later = time.time() + 11
    monkeypatch.setattr(time, "time", lambda: later)
    assert cache.get_many(["replica", "for ever"]) == {"for ever": "heard"}
    assert not cache.touch("replica")


def test_only_what_is_not_there_is_added(cache):
    assert cache.add("replica", "first")
    assert not cache.add("replica", "second")
    assert cache.get("replica") == "first"
    assert cache.delete("replica")
    assert not cache.delete("replica")
    assert cache.add("replica", "third")


def test_what_is_touched_is_kept_on(cache):
    cache.set("replica", "heard", timeout=10)
    assert cache.touch("replica", timeout=None)
    assert cache.get("replica") == "heard"


def test_threads_share_what_is_kept(cache):
    thread = threading.Thread(target=lambda: PlainLocMemCache("tests", {}).set("replica", "heard"))
    thread.start()
    thread.join()
    assert cache.get("replica") == "heard"
