"""Notifications on bad days, in real processes: a worker killed while it sends, a broker that is away, receivers that
hang and come back, servers that fall silent, restarts in between."""

import json
import time

import pytest

from tests import live
from tests.live import wait_until
from tests.polling import Polling, Stage
from tests.receiver import Receiver

# A letter that was under way when its sender was killed is sent again after 45 s.
AGAIN_WITHIN = 60 + 15
# Beat looks each 2 s and each 5 s; the machine may be busy.
SOON = 30
ALERT_AFTER_MINUTES = 0.1


@pytest.fixture(scope="module")
def control_plane(start_control_plane) -> live.ControlPlane:
    return start_control_plane(
        ("web", "default", "beat"),
        WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
        ALERT_AFTER_MINUTES=str(ALERT_AFTER_MINUTES),
    )


@pytest.fixture
def receiver():
    with Receiver() as one:
        yield one


@pytest.fixture
def webhook(control_plane, receiver):
    """A signed one to the receiver, removed in the end; what it tells is chosen with `events`.

    Without a choice it hears of pipelines alone, of which there are none here, so the button's letters are all it gets.
    """
    made = []

    def make(target=None, events=("pipeline.succeeded",), **members):
        named = {"name": f"hook {time.monotonic()}", "kind": "signed", "target": target or receiver.url}
        body = {**named, "events": events, **members}
        answer = control_plane.http.post("/api/v1/webhooks/", json=body)
        assert answer.status_code == 201, answer.text
        made.append(answer.json())
        return made[-1]

    yield make
    for one in made:
        control_plane.http.delete(f"/api/v1/webhooks/{one['id']}/")


def send_test(control_plane, webhook, wait=0):
    answer = control_plane.http.post(f"/api/v1/webhooks/{webhook['id']}/test/", params={"wait": wait})
    assert answer.status_code == 201, answer.text
    return answer.json()


def deliveries(control_plane, webhook):
    return control_plane.http.get(f"/api/v1/webhooks/{webhook['id']}/deliveries/").json()["results"]


def told(receiver):
    return [json.loads(body)["event"] for body in receiver.bodies]


def test_the_button_says_what_came_of_it(control_plane, receiver, webhook):
    assert send_test(control_plane, webhook(), wait=SOON)["status"] == "delivered"
    assert told(receiver) == ["test"]
    receiver.answer = lambda got: (404, {})
    refused = send_test(control_plane, webhook(), wait=SOON)
    assert (refused["status"], refused["response_status"]) == ("failed", 404)


def test_a_worker_that_is_killed_between_sending_and_writing_it_down_is_followed_by_another(
    control_plane, receiver, webhook
):
    receiver.hangs = True
    hook = webhook()
    sent = send_test(control_plane, hook)
    receiver.wait_for(1, SOON)
    control_plane.kill("default")
    receiver.hangs = False
    control_plane.start("default")
    with Receiver() as other:
        send_test(control_plane, webhook(target=other.url))
        other.wait_for(1, live.START_SECONDS)  # a worker is there again
    wait_until(lambda: deliveries(control_plane, hook)[0]["status"] == "delivered", AGAIN_WITHIN, "the second try")
    first, second = receiver.got
    assert first.body == second.body
    assert first.headers["x-controlplane-delivery"] == second.headers["x-controlplane-delivery"]
    assert deliveries(control_plane, hook)[0]["id"] == sent["id"]
    assert deliveries(control_plane, hook)[0]["attempts"] == 2


def test_a_broker_that_is_away_loses_nothing(control_plane, receiver, webhook):
    hook = webhook()
    folder = control_plane.home / "broker"
    aside = folder.with_name("broker-aside")
    folder.rename(aside)
    folder.write_text("no folder")
    try:
        began = time.monotonic()
        send_test(control_plane, hook)
        assert time.monotonic() - began < 8
    finally:
        folder.unlink()
        aside.rename(folder)
    wait_until(lambda: receiver.got, 90, "the worker is back")
    wait_until(lambda: deliveries(control_plane, hook)[0]["status"] == "delivered", SOON, "it is written down")


def test_a_target_that_hangs_holds_no_worker_and_no_other_target(control_plane, receiver, webhook):
    with Receiver() as hanging:
        hanging.hangs = True
        dead = webhook(target=hanging.url)
        for _ in range(5):
            send_test(control_plane, dead)
        hanging.wait_for(1, SOON)
        began = time.monotonic()
        assert send_test(control_plane, webhook(), wait=SOON)["status"] == "delivered"
        assert time.monotonic() - began < 8
        wait_until(lambda: deliveries(control_plane, dead)[-1]["status"] == "failed", SOON, "its first try is over")
        assert "in time" in deliveries(control_plane, dead)[-1]["error"]


def test_servers_that_fall_silent_are_told_once_and_so_is_their_return(control_plane, receiver, webhook):
    """Also over a restart of everything, which is no trouble and no end of it."""
    stage = Stage.begin(control_plane, replicas=1)
    webhook(
        events=["environment.unreachable", "environment.out_of_sync", "replica.silent", "recovered"],
        environments=[stage.name],
    )
    with Polling(stage.replicas, 0.5):
        wait_until(lambda: stage.environment()["sync"] == "in_sync", SOON, "it is in sync")
        time.sleep(15)
        assert told(receiver) == []
    receiver.wait_for(1, 90)
    assert told(receiver) == ["environment.unreachable"]
    payload = json.loads(receiver.bodies[0])
    assert payload["environment"] == stage.name
    assert "is unreachable" in payload["subject"]
    for part in ("web", "default", "beat"):
        control_plane.kill(part)
        control_plane.start(part)
    time.sleep(25)
    assert told(receiver) == ["environment.unreachable"]
    with Polling(stage.replicas, 0.5):
        receiver.wait_for(2, 90)
    assert told(receiver)[:2] == ["environment.unreachable", "recovered"]


def test_a_promotion_is_told_from_its_begin_to_its_end(control_plane, receiver, webhook):
    stage = Stage.begin(control_plane, replicas=1)
    webhook(events=["promotion.started", "promotion.succeeded"], environments=[stage.name])
    with Polling(stage.replicas, 0.3):
        stage.promote("heron")
        receiver.wait_for(2, SOON)
    first, second = (json.loads(body) for body in receiver.bodies)
    assert (first["event"], second["event"]) == ("promotion.started", "promotion.succeeded")
    assert second["subject"] == f"{stage.name} serves {stage.name}-heron"
    assert second["url"].startswith(control_plane.url)
