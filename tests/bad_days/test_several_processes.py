"""Two web processes on PostgreSQL and Redis give the same answers as one; one that is killed costs no wrong one."""

import os
import signal
import threading
import time
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import pytest

from tests.bad_days.conftest import database
from tests.live import wait_until
from tests.metrics import value
from tests.polling import INTERVAL, Polling, Stage

ONE, TWO_SERVERS, TWO_PROCESSES = "one process", "two servers", "two processes of one server"
SHARED = [pytest.mark.postgresql, pytest.mark.redis]


class Installation:
    """A control plane, and the URLs to which its requests go in turn."""

    def __init__(self, control_plane, urls):
        self.control_plane, self.urls = control_plane, urls

    def stage(self, **fields):
        return Stage(self.control_plane, self.urls, **fields)


def start(kind, request):
    start_control_plane = request.getfixturevalue("start_control_plane")
    if kind == ONE:
        control_plane = start_control_plane()
        return Installation(control_plane, [control_plane.url] * 2)
    # A database of its own: one installation refuses that of another, and its keys in Redis would be the same.
    databases = ExitStack()
    request.addfinalizer(databases.close)
    shared = {
        "DATABASE_URL": databases.enter_context(database()),
        "CACHE_URL": f"{request.getfixturevalue('redis').url}?key_prefix={kind.replace(' ', '-')}",
    }
    if kind == TWO_PROCESSES:
        control_plane = start_control_plane(**shared, WEB_PROCESSES="2")
        return Installation(control_plane, [control_plane.url] * 2)
    control_plane = start_control_plane(("web", "web-2"), **shared)
    return Installation(control_plane, [f"http://127.0.0.1:{port}" for port in control_plane.ports.values()])


@pytest.fixture(
    scope="module",
    params=[ONE, pytest.param(TWO_SERVERS, marks=SHARED), pytest.param(TWO_PROCESSES, marks=SHARED)],
)
def installation(request):
    return start(request.param, request)


@pytest.fixture
def stage(installation):
    """An environment whose one model is `otter`; `heron` is there as well."""
    stage = installation.stage()
    stage.otter, stage.heron = stage.upload("otter"), stage.upload("heron")
    stage.promote("otter")
    return stage


def loaded(installation, *, replicas):
    """An environment of so many replicas, each of which has loaded its one model."""
    stage = installation.stage(replicas=replicas)
    stage.upload("otter")
    stage.promote("otter")
    servers = [stage.replica(name=f"rasa-{number}") for number in range(replicas)]
    for server in servers:
        server.load()
    return stage, servers


def listened(stage):
    """Wait until polls have been heard for an interval."""
    wait_until(lambda: stage.environment()["health"] != "unknown", 30, "an interval of listening")


def same_from_all(stage):
    """The replicas, as every web process tells of them."""
    answers = [client.get(f"{stage.path}replicas/").json() for client in stage.clients for _ in range(3)]
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def test_a_model_is_delivered_and_proved_whoever_is_asked(stage):
    replica = stage.replica()
    assert [replica.poll().status for _ in range(4)] == [200, 304, 304, 304]
    [found] = same_from_all(stage)
    assert (found["state"], found["downloads"], found["proved"]) == ("serving", 1, True)


def test_the_proof_settles_the_promotion_at_once_for_everybody(stage):
    replica, promotion = stage.replica(), stage.promote("heron")
    replica.poll()
    assert stage.promotion(promotion)["status"] == "rolling_out"
    replica.poll()
    assert [stage.promotion(promotion)["status"] for _ in range(4)] == ["succeeded"] * 4


def test_a_model_that_cannot_be_loaded_is_stuck_after_exactly_three_downloads(stage):
    replica = stage.replica(loads=lambda model: model != stage.heron)
    replica.load()
    promotion = stage.promote("heron")
    assert [replica.poll().status for _ in range(6)] == [200, 200, 200, 304, 304, 304]
    [found] = same_from_all(stage)
    assert (found["state"], found["downloads"], found["model"]) == ("stuck", 4, f"{stage.name}-otter")
    wait_until(lambda: stage.promotion(promotion)["status"] == "failed", 30, "a failed promotion")


def test_an_empty_server_gets_the_last_proven_model_instead(stage):
    replica = stage.replica(loads=lambda model: model != stage.heron)
    replica.load()
    stage.promote("heron")
    replica.restart()
    etags = [replica.poll().etag for _ in range(4)]
    assert etags == [f'"{stage.heron}"'] * 3 + [f'"{stage.otter}"']
    assert [replica.poll().status for _ in range(4)] == [304] * 4


def test_a_retry_at_one_is_known_to_the_other(stage):
    cured = []
    replica = stage.replica(loads=lambda model: model != stage.heron or bool(cured))
    replica.load()
    promotion = stage.promote("heron")
    for _ in range(4):
        replica.poll()
    cured.append(True)
    stage.post(f"{stage.path}replicas/rasa-1/retry/")
    assert [replica.poll().status for _ in range(2)] == [200, 304]
    assert stage.promotion(promotion)["status"] == "succeeded"


def test_the_tag_is_read_each_time(stage):
    replica = stage.replica()
    replica.load()
    for number in range(10):
        name = ("heron", "otter")[number % 2]
        stage.promote(name)
        # One more poll between, so that both processes are asked for both models.
        assert [replica.poll().status for _ in range(2 + number % 3)] == [200] + [304] * (1 + number % 3)
        assert replica.model == getattr(stage, name)


def test_who_waits_at_one_hears_of_the_proof_at_the_other(stage):
    promotion, replica, heard = stage.promote("heron"), stage.replica(), []

    def wait():
        heard.append(stage.promotion(promotion, wait=60))

    waiting = [threading.Thread(target=wait) for _ in stage.clients]
    for thread in waiting:
        thread.start()
    began = time.monotonic()
    replica.load()
    for thread in waiting:
        thread.join()
    assert time.monotonic() - began < 30
    assert [promotion["status"] for promotion in heard] == ["succeeded"] * len(waiting)


def test_no_heartbeat_is_lost(installation):
    stage, replicas = loaded(installation, replicas=4)
    listened(stage)
    with Polling(replicas, INTERVAL / 2):
        deadline = time.monotonic() + 6 * INTERVAL
        while time.monotonic() < deadline:
            found = stage.environment()
            assert (found["sync"], found["health"], found["reasons"]) == ("in_sync", "healthy", [])
            time.sleep(0.2)


def test_each_tells_prometheus_of_the_polls_that_all_have_answered(stage):
    replica = stage.replica()
    polls = [replica.poll().status for _ in range(9)]
    place = {"project": "default", "environment": stage.name}

    def told(client, answer):
        text = client.get("/metrics").text
        return value(text, "controlplane_polls_total", **place, answer=answer)

    counted = {"archive": polls.count(200), "not_modified": polls.count(304)}
    assert counted == {"archive": 1, "not_modified": 8}
    for answer, number in counted.items():
        wait_until(lambda: {told(client, answer) for client in stage.clients} == {number}, 30, answer)  # noqa: B023
    time.sleep(6)  # whoever counts has told the others again
    assert [told(client, "not_modified") for client in stage.clients for _ in range(3)] == [8] * 3 * len(stage.clients)


def test_after_a_restart_of_all_nothing_alarms(installation):
    control_plane = installation.control_plane
    stage = installation.stage()
    stage.upload("otter")
    promotion = stage.promote("otter")
    replica = stage.replica()
    replica.load()
    parts = list(control_plane.running)
    for part in parts:
        control_plane.kill(part)
    seen = set()
    # Rasa goes on polling, whoever of those it asks is up.
    with Polling([replica], INTERVAL / 2):
        time.sleep(4 * INTERVAL)
        for part in parts:
            control_plane.start(part)

        def in_sync():
            found = stage.environment()
            seen.add((found["sync"], found["health"]))
            return found["sync"] == "in_sync"

        wait_until(in_sync, 30, "an environment in sync")
    assert seen <= {("unknown", "unknown"), ("in_sync", "healthy")}
    assert stage.promotion(promotion)["status"] == "succeeded"
    assert {answer.status for answer in replica.answers[2:]} <= {0, 304}


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def web_processes(control_plane):
    """The process ids of granian's workers: its launcher started granian, which started them."""
    [granian] = children_of(control_plane.running["web"].process.pid)
    return children_of(granian)


def survives(stage, replicas, happens):
    """Poll while `happens` is called; the answers that came from then on."""
    with Polling(replicas, INTERVAL / 10):
        wait_until(lambda: all(len(replica.answers) > 3 for replica in replicas), 30, "polls")
        before = {replica.name: len(replica.answers) for replica in replicas}
        happens()
        # A poll that was under way ends with its process; the next ones are answered.
        wait_until(lambda: all(len(r.answers) > before[r.name] + 20 for r in replicas), 60, "polls after it")
    return [answer for replica in replicas for answer in replica.answers[before[replica.name] :]]


@pytest.mark.postgresql
@pytest.mark.redis
@pytest.mark.parametrize("installation", [TWO_PROCESSES], indirect=True)
def test_one_of_two_web_processes_that_is_killed_is_started_anew_and_costs_no_wrong_answer(installation):
    stage, replicas = loaded(installation, replicas=3)
    control_plane = stage.control_plane
    before = web_processes(control_plane)

    def kill_one():
        os.kill(before[0], signal.SIGKILL)

    answers = survives(stage, replicas, kill_one)
    assert {answer.status for answer in answers} <= {0, 304}
    assert sum(answer.status == 0 for answer in answers) <= 2 * len(replicas)
    wait_until(lambda: len(web_processes(control_plane)) == 2, 30, "a new web process")
    assert before[1] in web_processes(control_plane)
    assert control_plane.running["web"].process.poll() is None


@pytest.mark.postgresql
@pytest.mark.redis
@pytest.mark.parametrize("installation", [TWO_SERVERS], indirect=True)
def test_a_web_server_that_is_killed_leaves_the_other_to_answer(installation):
    stage, replicas = loaded(installation, replicas=3)
    listened(stage)
    control_plane = installation.control_plane

    def fail_over():
        """As a load balancer that takes a dead server out."""
        control_plane.kill("web-2")
        for replica in replicas:
            replica.urls = cycle([control_plane.url])

    answers = survives(stage, replicas, fail_over)
    assert {answer.status for answer in answers} <= {0, 304}
    assert sum(answer.status == 0 for answer in answers) <= 2 * len(replicas)
    assert max(answer.seconds for answer in answers) < 5
    found = stage.clients[0].get(stage.path).json()
    assert (found["sync"], found["health"]) == ("in_sync", "healthy")
    control_plane.start("web-2")
