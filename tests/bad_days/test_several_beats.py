"""Three beats and two workers: each periodic step runs once in its time, whoever is killed, and so does each schedule.

A step runs when, and only when, somebody moves its slot on: the database itself writes down each move.
"""

import json
import time
from collections import defaultdict
from itertools import pairwise

import pytest

from tests.bad_days.conftest import database
from tests.live import ControlPlane, wait_until
from tests.outages import RedisServer

BEATS = ("beat", "beat-2", "beat-3")
PARTS = ("web", "default", "default-2", *BEATS)
# Seconds of each step that comes often enough to be seen several times.
OFTEN = {"send-lost-jobs": 4, "tend-pipelines": 8}
# How exactly two clocks of one machine agree.
EXACT = 0.5

ON_SQLITE = """
CREATE TABLE moved (name text, at float, due float);
CREATE TRIGGER note_moves AFTER UPDATE ON environments_slot WHEN OLD.due_at <> NEW.due_at
BEGIN INSERT INTO moved VALUES (
    NEW.name, (julianday('now') - 2440587.5) * 86400, (julianday(OLD.due_at) - 2440587.5) * 86400
); END;
"""
ON_POSTGRESQL = """
CREATE TABLE moved (name text, at float, due float);
CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO moved VALUES (NEW.name, extract(epoch FROM clock_timestamp()), extract(epoch FROM OLD.due_at));
    RETURN NEW; END $$;
CREATE TRIGGER note_moves AFTER UPDATE ON environments_slot FOR EACH ROW
WHEN (OLD.due_at IS DISTINCT FROM NEW.due_at) EXECUTE FUNCTION note_move();
"""
RUN = """
from django.db import connection
connection.ensure_connection()
if connection.vendor == "sqlite":
    connection.connection.executescript({sql!r})
else:
    connection.connection.execute({sql!r})
"""
READ = """
import json
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT name, at, due FROM moved ORDER BY at")
    print(json.dumps(cursor.fetchall()))
"""
DUE = """
from datetime import timedelta
from django.utils import timezone
from environments.models import Pipeline
Pipeline.objects.update(due_at=timezone.now() - timedelta(hours={hours}))
"""


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.redis])], scope="module"
)
def control_plane(request, tmp_path_factory):
    if request.param == "sqlite":
        plane = ControlPlane(tmp_path_factory.mktemp("home"), parts=PARTS)
        plane.run(RUN.format(sql=ON_SQLITE))
        yield plane
        plane.stop()
        return
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    with database() as url:
        broker = redis.url.removesuffix("/0") + "/1"
        variables = {"DATABASE_URL": url, "CACHE_URL": redis.url, "BROKER_URL": broker}
        plane = ControlPlane(tmp_path_factory.mktemp("home"), variables=variables, parts=PARTS)
        plane.run(RUN.format(sql=ON_POSTGRESQL))
        yield plane
        plane.stop()
    redis.stop()


def moves(plane):
    """When each slot was moved on, and when it was due then, in seconds."""
    found = defaultdict(list)
    for name, at, due in json.loads(plane.run(READ)):
        found[name].append((at, due))
    return found


def test_each_step_runs_once_in_its_time_also_when_a_beat_is_killed(control_plane):
    def seen():
        found = moves(control_plane)
        return all(len(found[name]) >= 3 for name in OFTEN)

    wait_until(seen, 120, "a few rounds of each step")
    control_plane.kill("beat")
    killed = time.time()
    wait_until(lambda: all(moves(control_plane)[name][-1][0] > killed + 1 for name in OFTEN), 60, "steps after it")
    assert [control_plane.running[beat].process.poll() for beat in BEATS[1:]] == [None, None]
    control_plane.start("beat")
    for name, moved in moves(control_plane).items():
        assert all(at >= due - EXACT for at, due in moved), (name, moved)
        # Each is due a whole round after the one before.
        times = [at for at, _ in moved]
        assert all(later - earlier > OFTEN.get(name, 2) - EXACT for earlier, later in pairwise(times)), (name, times)


def test_each_time_of_a_schedule_starts_one_run(control_plane):
    body = {"name": "nightly", "on": {"schedule": "0 3 1 1 *"}}
    made = control_plane.http.post("/api/v1/pipelines/", json=body)
    assert made.status_code == 201, made.text
    for times in (1, 2):
        control_plane.run(DUE.format(hours=times))
        wait_until(lambda expected=times: len(runs(control_plane)) >= expected, 60, "a run")
    time.sleep(OFTEN["tend-pipelines"] + 2)
    assert [run["trigger"] for run in runs(control_plane)] == ["schedule"] * 2


def runs(plane):
    return plane.http.get("/api/v1/pipelines/nightly/runs/").json()["results"]
