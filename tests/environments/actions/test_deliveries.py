"""Deliveries as rows: taken by one sender, tried again for a day, given up, sent again by hand."""

from datetime import timedelta

import pytest

from accounts.models import AuditEvent
from accounts.problems import MissingGrant
from environments import errors
from environments.actions import deliveries, notifications
from environments.actions.deliveries import Outcome
from environments.models import Delivery, Webhook
from environments.states import DeliveryStatus, Event
from tests.factories import WebhookFactory

pytestmark = pytest.mark.django_db

GONE = Outcome(error="No connection could be made.", whole=True)
BROKEN = Outcome(500, "It answered with the status 500.")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def webhook(project) -> Webhook:
    return WebhookFactory()


def tell(webhook, times=1) -> None:
    for _ in range(times):
        notifications.tell(project=webhook.project, event=Event.JOB_FAILED, subject="s", text="t")


def now():
    """After everything that was told."""
    return Delivery.objects.latest("created_at").created_at + timedelta(seconds=1)


def take(at=None, limit=8) -> list[Delivery]:
    return deliveries.take(at or now(), limit=limit)


def test_one_of_each_target_is_taken_at_a_time(webhook):
    other = WebhookFactory()
    tell(webhook, 3)
    taken = take()
    assert {one.webhook for one in taken} == {webhook, other}
    assert take() == []


def test_what_arrived_leaves_its_target_free_for_the_next(webhook):
    tell(webhook, 2)
    [first] = take()
    deliveries.record(first, Outcome(204), now())
    first.refresh_from_db()
    assert (first.status, first.response_status, first.attempts) == ("delivered", 204, 1)
    assert first.finished_at
    [second] = take()
    assert second.pk > first.pk


def test_what_was_refused_waits_alone(webhook):
    tell(webhook, 2)
    [first] = take()
    deliveries.record(first, BROKEN, now())
    first.refresh_from_db()
    assert (first.status, first.response_status, first.error) == ("waiting", 500, BROKEN.error)
    assert first.next_at > now()
    assert len(take()) == 1


def test_a_target_that_takes_nothing_is_left_alone_as_a_whole(webhook):
    tell(webhook, 3)
    [first] = take()
    deliveries.record(first, GONE, now())
    assert take() == []
    [again] = take(now() + MINUTE)
    deliveries.record(again, GONE, now() + MINUTE)
    webhook.refresh_from_db()
    assert webhook.failures == 2
    assert take(now() + MINUTE) == []


def test_one_that_is_back_takes_all_at_once(webhook):
    tell(webhook, 3)
    [first] = take()
    deliveries.record(first, GONE, now())
    later = now() + MINUTE
    for _ in range(3):
        [one] = take(later)
        deliveries.record(one, Outcome(200), later)
    assert not Delivery.objects.exclude(status="delivered").exists()


def test_it_rests_as_long_as_the_target_wants(webhook):
    tell(webhook, 2)
    [first] = take()
    deliveries.record(first, Outcome(429, "…", whole=True, pause=600), now())
    assert take(now() + 9 * MINUTE) == []
    assert take(now() + 11 * MINUTE)


def test_pauses_grow_and_end_at_an_hour():
    seconds = [deliveries.pause(tries).total_seconds() for tries in range(1, 60)]
    assert 8 <= seconds[0] <= 12
    assert 16 <= seconds[1] <= 24
    assert all(2880 <= pause <= 4320 for pause in seconds[10:])
    assert len(set(seconds[10:])) > 1  # not all come together


def test_a_day_of_500s_ends_as_failed(webhook):
    tell(webhook)
    at, tries = now(), 0
    while taken := take(at):
        tries += 1
        deliveries.record(taken[0], BROKEN, at)
        delivery = Delivery.objects.get()
        at = delivery.next_at or at
    assert delivery.status == DeliveryStatus.FAILED
    assert (delivery.attempts, delivery.response_status) == (tries, 500)
    assert 24 < tries < 45
    assert DAY - timedelta(hours=2) < at - delivery.created_at <= DAY


def test_what_waits_behind_a_target_that_was_away_all_day_is_given_up(webhook):
    tell(webhook, 20)
    [first] = take()
    deliveries.record(first, GONE, now())
    deliveries.tidy(now())
    assert Delivery.objects.filter(status="waiting").count() == 20
    deliveries.tidy(now() + DAY + MINUTE)
    assert set(Delivery.objects.values_list("status", "error")) == {
        ("failed", "The target took nothing until the time for it was over.")
    }


def test_what_waited_because_nobody_sent_is_still_tried(webhook):
    """The control plane itself was off."""
    tell(webhook)
    later = now() + 2 * DAY
    deliveries.tidy(later)
    assert len(take(later)) == 1


def test_what_waits_for_a_target_that_is_switched_off_is_given_up(webhook):
    """It was told at the moment in which somebody switched the target off."""
    tell(webhook)
    Webhook.objects.update(enabled=False)
    deliveries.tidy(now() + DAY + MINUTE)
    assert Delivery.objects.get().status == "failed"


def test_what_ended_long_ago_is_forgotten(webhook):
    tell(webhook, 2)
    [first] = take()
    deliveries.record(first, Outcome(200), now())
    deliveries.tidy(now() + timedelta(days=29))
    assert Delivery.objects.count() == 2
    deliveries.tidy(now() + timedelta(days=31))
    assert list(Delivery.objects.values_list("status", flat=True)) == ["waiting"]


def test_a_sender_that_ended_in_between_is_followed_by_another(webhook):
    tell(webhook)
    [lost] = take()
    later = now() + deliveries.LEASE + MINUTE
    [again] = take(later)
    assert (again.pk, again.attempts) == (lost.pk, 2)
    assert again.payload["id"] == lost.payload["id"]


def test_the_word_of_a_sender_that_was_taken_for_lost_does_not_count(webhook):
    tell(webhook)
    [lost] = take()
    later = now() + deliveries.LEASE + MINUTE
    [again] = take(later)
    deliveries.record(lost, BROKEN, later)
    again.refresh_from_db()
    assert again.response_status is None
    deliveries.record(again, Outcome(200), later)
    deliveries.record(lost, BROKEN, later)
    again.refresh_from_db()
    assert again.status == "delivered"


# By hand


def test_a_test_is_told_once_and_to_nobody_else(webhook, by_ana):
    WebhookFactory()
    delivery = deliveries.test(webhook=webhook, by=by_ana)
    assert (Delivery.objects.get(), delivery.event) == (delivery, "test")
    [taken] = take()
    deliveries.record(taken, GONE, now())
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    assert AuditEvent.objects.get().action == "webhook.test"


def test_a_test_does_not_wait_for_a_target_that_rests(webhook, by_ana):
    tell(webhook)
    [first] = take()
    deliveries.record(first, GONE, now())
    assert take() == []
    deliveries.test(webhook=webhook, by=by_ana)
    assert len(take()) == 1


def test_one_that_ended_is_sent_again_with_its_id(webhook, by_ana):
    tell(webhook)
    [first] = take()
    deliveries.record(first, Outcome(200), now())
    first.refresh_from_db()
    again = deliveries.redeliver(delivery=first, by=by_ana)
    assert (again.status, again.attempts, again.finished_at) == ("waiting", 0, None)
    assert again.retry_until > now() + timedelta(hours=23)
    [taken] = take(now() + MINUTE)
    assert taken.payload["id"] == first.payload["id"]
    event = AuditEvent.objects.get()
    assert (event.action, event.after) == ("webhook.redeliver", {"delivery": first.pk, "event": "job.failed"})


def test_one_that_waits_is_not_sent_again(webhook, by_ana):
    tell(webhook)
    with pytest.raises(errors.DeliveryNotEnded):
        deliveries.redeliver(delivery=Delivery.objects.select_related("webhook__project").get(), by=by_ana)


def test_what_is_off_is_neither_tested_nor_sent_to_again(webhook, by_ana):
    tell(webhook)
    [first] = take()
    deliveries.record(first, Outcome(200), now())
    Webhook.objects.update(enabled=False)
    first.refresh_from_db()
    for act in (
        lambda: deliveries.test(webhook=webhook, by=by_ana),
        lambda: deliveries.redeliver(delivery=first, by=by_ana),
    ):
        with pytest.raises(errors.WebhookOff):
            act()


def test_who_may_not_write_settings_sends_nothing(webhook, by_ben):
    with pytest.raises(MissingGrant):
        deliveries.test(webhook=webhook, by=by_ben)
    tell(webhook)
    Delivery.objects.update(status="failed", next_at=None)
    with pytest.raises(MissingGrant):
        deliveries.redeliver(delivery=Delivery.objects.select_related("webhook__project").get(), by=by_ben)
