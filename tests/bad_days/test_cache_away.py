"""Redis, the cache of the ledger, is gone, hangs, is emptied or takes nothing under polling: polls are answered in time
all the same, from the database, and nobody is alarmed."""

import time
from contextlib import contextmanager

import pytest

from tests.live import wait_until
from tests.polling import INTERVAL, Polling, Stage
from tests.repeats import times

pytestmark = [pytest.mark.postgresql, pytest.mark.redis, pytest.mark.nightly]

# A Redis server that hangs costs a poll 1 s now and then; the rest is for a machine that is busy with other things.
BOUND = 10.0
SECONDS = times(6, nightly=60)


@pytest.fixture(scope="module")
def control_plane(start_control_plane, postgresql, redis):
    return start_control_plane(("web", "web-2"), DATABASE_URL=postgresql.url, CACHE_URL=redis.url)


@pytest.fixture
def stage(control_plane):
    urls = [f"http://127.0.0.1:{port}" for port in control_plane.ports.values()]
    return Stage.begin(control_plane, 4, urls=urls)


@contextmanager
def gone(proxy, server):
    proxy.cut()
    yield
    proxy.mend()


@contextmanager
def hanging(proxy, server):
    proxy.hang()
    yield
    proxy.mend()


@contextmanager
def out_of_memory(proxy, server):
    """It can be read, and takes nothing new."""
    server.ask("CONFIG", "SET", "maxmemory", "1")
    yield
    server.ask("CONFIG", "SET", "maxmemory", "0")


@contextmanager
def read_only(proxy, server):
    """It became the replica of another one."""
    server.ask("REPLICAOF", "127.0.0.1", "1")
    yield
    server.ask("REPLICAOF", "NO", "ONE")


@contextmanager
def emptied(proxy, server):
    server.ask("FLUSHALL")
    yield
    server.ask("FLUSHALL")


OUTAGES = [gone, hanging, out_of_memory, read_only, emptied]


@pytest.fixture(params=OUTAGES, ids=lambda outage: outage.__name__)
def outage(request, redis, redis_server):
    """What happens to the cache. Whatever becomes of the test, the next one has a sound one."""
    happens = request.param(redis, redis_server)
    yield happens
    redis.mend()
    redis_server.ask("REPLICAOF", "NO", "ONE")
    redis_server.ask("CONFIG", "SET", "maxmemory", "0")


def listened(stage):
    wait_until(lambda: stage.environment()["health"] == "healthy", 60, "a healthy environment")


def test_polls_and_reports_go_on_and_nothing_alarms(stage, outage):
    with Polling(stage.replicas, INTERVAL / 4):
        listened(stage)
        seen = []
        with outage:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline:
                found = stage.environment()
                seen.append((found["sync"], found["health"], *found["reasons"]))
                assert stage.status("/readyz") == stage.status("/healthz") == 200
        deadline = time.monotonic() + 3 * INTERVAL
        while time.monotonic() < deadline:
            found = stage.environment()
            seen.append((found["sync"], found["health"], *found["reasons"]))
    assert set(seen) == {("in_sync", "healthy")}
    answers = [answer for replica in stage.replicas for answer in replica.answers[2:]]
    assert {answer.status for answer in answers} == {304}
    assert max(answer.seconds for answer in answers) < BOUND


def test_a_promotion_is_delivered_proved_and_settled_without_it(stage, outage):
    with outage:
        promotion = stage.promote("heron")
        with Polling(stage.replicas, INTERVAL / 4):
            wait_until(lambda: stage.promotion(promotion)["status"] == "succeeded", 30, "a proof of all")
    for replica in stage.replicas:
        assert replica.poll().status == 304
        assert [answer.status for answer in replica.answers].count(200) == 2


def test_a_model_that_cannot_be_loaded_is_stuck_after_three_downloads_without_it(stage, outage):
    replica = stage.replica(loads=lambda model: False)
    with outage:
        statuses = [replica.poll().status for _ in range(3)]
        assert statuses == [200] * 3
        assert [replica.poll().status for _ in range(3)] == [304] * 3
    assert replica.poll().status == 304
    [found] = [found for found in stage.get(f"{stage.path}replicas/") if found["name"] == "rasa-1"]
    assert (found["state"], found["model"]) == ("stuck", None)


def test_who_was_killed_in_the_middle_of_a_poll_holds_nobody_up(stage, redis_server):
    """What it held stays in the cache for a while."""
    [replica, *_] = stage.replicas
    held = []

    def hold():
        for key in redis_server.ask("KEYS", "*replica:*"):
            redis_server.ask("SET", key + b":held", b"somebody who is gone", "EX", "10")
            held.append(key)

    hold()
    assert held
    began = time.monotonic()
    assert [replica.poll().status for _ in range(4)] == [304] * 4
    # The first one waits, and then it is held by the living.
    assert time.monotonic() - began < 2 * BOUND / 4
