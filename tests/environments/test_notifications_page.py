"""docs/notifications.md keeps its word: the example verifies what really arrives, and every event is told."""

import re
import time

import pytest

from environments import delivering, permissions
from environments.actions import alerts, deliveries, notifications, webhooks
from environments.envelopes import signature
from environments.states import Event, WebhookKind
from tests.factories import WebhookFactory
from tests.live import ROOT
from tests.receiver import Receiver

PAGE = (ROOT / "docs" / "notifications.md").read_text()
SECRET = "the-secret-that-signs"


@pytest.fixture(scope="module")
def is_genuine():
    [example] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names = {}
    exec(compile(example, "docs/notifications.md", "exec"), names)  # noqa: S102 - that of our own page
    return names["is_genuine"]


@pytest.fixture
def got(project, settings):
    """What a real receiver got over HTTP."""
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with Receiver() as receiver:
        WebhookFactory(target=receiver.url, secret=SECRET)
        notifications.tell(project=project, event=Event.JOB_FAILED, subject="Training 7 failed", text="Señor Ñandú <&>")
        delivering.deliver_due()
        [got] = receiver.got
    return got


def test_the_example_believes_what_is_genuine(is_genuine, got):
    assert is_genuine(SECRET, got.headers, got.body)


def test_the_example_believes_nothing_else(is_genuine, got):
    name, time_name = "x-controlplane-signature", "x-controlplane-timestamp"
    later = str(int(got.headers[time_name]) + 1)
    old = int(time.time()) - 3600
    assert not is_genuine("another-secret", got.headers, got.body)
    assert not is_genuine(SECRET, got.headers, got.body + b" ")
    assert not is_genuine(SECRET, {**got.headers, time_name: later}, got.body)
    assert not is_genuine(SECRET, {**got.headers, name: "sha256=" + "0" * 64}, got.body)
    replayed = {**got.headers, time_name: str(old), name: signature(SECRET, old, got.body)}
    assert not is_genuine(SECRET, replayed, got.body)


def test_the_headers_are_those_that_really_come(got):
    documented = set(re.findall(r"^    (X-Controlplane-\w+):", PAGE, flags=re.MULTILINE))
    assert {name.lower() for name in documented} == {name for name in got.headers if name.startswith("x-controlplane-")}


def test_every_event_and_kind_is_documented():
    events = re.findall(
        r"`([a-z_.]+)`", "".join(re.findall(r"^\| (`[a-z_.]+`(?:, `[a-z_.]+`)*) \|", PAGE, re.MULTILINE))
    )
    kinds = {kind.value for kind in WebhookKind}
    assert set(events) - kinds == {event.value for event in Event}
    assert kinds <= set(events)


def test_who_may_be_told_of_an_event_is_said_for_each():
    assert {event.partition(".")[0] for event in webhooks.EVENTS} == set(permissions.READING)


def test_every_trouble_has_its_words():
    troubles = {event for event in Event if event.value.startswith(("replica.", "environment."))}
    assert set(alerts.WORDS) == troubles


def test_the_times_are_those_of_the_code():
    assert (deliveries.FIRST_PAUSE.seconds, deliveries.LONGEST_PAUSE.seconds) == (10, 3600)
    assert (deliveries.KEPT_FOR.days, notifications.TRIED_FOR.days) == (30, 1)
