"""Many polls of one replica at the same moment: no download is lost, and no heartbeat is put over news."""

import json
import os
import subprocess
import sys
import uuid

import pytest
import redis
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache

from environments.serving import ledger
from tests import services

POLLS = 8


class Shared(LocMemCache):
    """Not the process memory of one web process, for all that the ledger knows."""


@pytest.fixture
def race(tmp_path):
    """Run the race on a database of its own; what it found."""

    def race(processes: int, name: str, **settings: str) -> dict[str, object]:
        environment = {
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
            "DATABASE_URL": f"sqlite:///{tmp_path / 'race.sqlite3'}",
            "CONTROLPLANE_HOME": str(tmp_path),
        }
        command = [sys.executable, "-m", "tests.environments.serving.poll_race", str(processes), str(POLLS), name]
        done = subprocess.run(
            command, env=os.environ | environment | settings, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return race


@pytest.fixture
def name():
    """A replica of which nothing is in the Redis server, nor stays there."""
    name = f"rasa-{uuid.uuid4()}"
    yield name
    with redis.Redis.from_url(services.REDIS_URL) as client:
        for key in client.scan_iter(f"*{ledger._key(1, name).removeprefix('replica:1')}*"):
            client.delete(key)


@pytest.mark.redis
def test_two_web_processes_that_share_a_cache_lose_no_download(race, name):
    assert race(2, name, CACHE_URL=services.REDIS_URL) == {
        "ends": [0, 0],
        "downloads": 2 * POLLS,
        "downloads in the database": 2 * POLLS,
        "same polls": True,
    }


@pytest.fixture
def as_if_shared(settings):
    """The cache of the test, taken for one that web processes share."""
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Shared"}}


def test_who_held_a_replica_for_too_long_does_not_let_go_of_what_the_next_one_holds(as_if_shared):
    with ledger.hold(1, "rasa-1"):
        [held] = [key.removeprefix(":1:") for key in cache._cache]
        cache.set(held, "of another process")
    assert cache.get(held) == "of another process"
