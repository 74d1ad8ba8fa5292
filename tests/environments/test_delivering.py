"""Sending what is due, over real connections: each kind of target, bad days of targets, and of the sender itself."""

import json
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from environments import delivering, envelopes
from environments.actions import notifications, webhooks
from environments.clients.webhooks import post
from environments.delivering import Sender
from environments.models import Delivery, Webhook
from environments.states import Event
from tests.factories import WebhookFactory
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def loopback(settings):
    """Where the receivers of these tests are."""
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def receiver():
    with Receiver() as one:
        yield one


def quickly(*arguments, **more):
    """The network, with less patience."""
    return post(*arguments, **more, seconds=1)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self):
        return timezone.now() + self.ahead


def tell(project, times=1):
    many = [
        notifications.Notification(project, Event.JOB_FAILED, "Training 7 failed", "It has <no> intents.")
        for _ in range(times)
    ]
    notifications.tell_all(many)


def test_a_signed_webhook_gets_what_it_can_verify(project, receiver):
    webhook = WebhookFactory(target=receiver.url)
    tell(project)
    assert delivering.deliver_due() == 1
    [got] = receiver.got
    timestamp = int(got.headers["x-controlplane-timestamp"])
    assert abs(timestamp - time.time()) < 60
    signature = envelopes.signature(webhook.secret, timestamp, got.body)
    assert got.headers["x-controlplane-signature"] == signature
    delivery = Delivery.objects.get()
    assert json.loads(got.body) == delivery.payload
    assert got.headers["x-controlplane-delivery"] == delivery.payload["id"]
    assert (delivery.status, delivery.response_status, delivery.error) == ("delivered", 200, "")


def test_an_incoming_webhook_gets_a_text(project, receiver):
    WebhookFactory(kind="slack", target=receiver.url, secret="")
    tell(project)
    delivering.deliver_due()
    assert json.loads(receiver.got[0].body)["text"].startswith("*Training 7 failed*\nIt has &lt;no&gt; intents.\n<http")
    assert not [name for name in receiver.got[0].headers if name.startswith("x-controlplane")]


def test_a_mail_is_sent(project, settings):
    settings.EMAIL_IS_SET_UP = True
    settings.DEFAULT_FROM_EMAIL = "Control Plane <control@example.com>"
    WebhookFactory(kind="email", target="team@example.com", secret="")
    tell(project)
    delivering.deliver_due()
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (["team@example.com"], "[Control Plane] Training 7 failed")
    assert sent.from_email == "Control Plane <control@example.com>"
    assert "It has <no> intents." in sent.body
    assert sent.message()["Message-ID"] == f"<{Delivery.objects.get().payload['id']}@localhost>"
    assert Delivery.objects.get().status == "delivered"


class Away(BaseEmailBackend):
    def send_messages(self, email_messages):
        raise ConnectionRefusedError("team@example.com")


def test_a_mail_server_that_is_away_is_told_without_the_address(project, settings):
    settings.EMAIL_IS_SET_UP = True
    settings.EMAIL_BACKEND = f"{__name__}.Away"
    WebhookFactory(kind="email", target="team@example.com", secret="")
    tell(project)
    delivering.deliver_due()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.error) == ("waiting", "The mail server did not take it (ConnectionRefusedError).")


def test_without_a_mail_server_a_mail_waits(project):
    WebhookFactory(kind="email", target="team@example.com", secret="")
    tell(project)
    delivering.deliver_due()
    assert "EMAIL_URL" in Delivery.objects.get().error


def test_of_an_answer_only_the_status_is_kept(project, receiver):
    WebhookFactory(target=receiver.url)
    receiver.answer = lambda got: (500, {})
    tell(project)
    delivering.deliver_due()
    row = str(Delivery.objects.values().get())
    assert "500" in row
    assert Receiver.BODY.decode() not in row
    assert "a-secret-part" not in row


def test_a_redirect_to_a_private_address_is_told_and_not_followed(project, receiver):
    with Receiver() as inside:
        receiver.answer = lambda got: (307, {"Location": inside.url})
        WebhookFactory(target=receiver.url)
        tell(project)
        delivering.deliver_due()
        assert inside.got == []
    delivery = Delivery.objects.get()
    assert delivery.response_status == 307
    assert "installation's own network" in delivery.error


def test_the_installations_own_network_is_reached_only_where_that_is_allowed(project, receiver, settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    WebhookFactory(target=receiver.url)
    tell(project)
    delivering.deliver_due()
    assert receiver.got == []
    assert "WEBHOOK_ALLOWED_NETWORKS" in Delivery.objects.get().error


def test_a_receiver_that_is_back_gets_all_of_it_in_order(project, receiver):
    clock = Clock()
    WebhookFactory(target=receiver.url)
    receiver.answer = lambda got: (503, {})
    tell(project, 3)
    assert Sender(clock=clock).run() == 1  # the others need not be tried
    receiver.answer = lambda got: (200, {})
    assert Sender(clock=clock).run() == 0
    clock.ahead = timedelta(minutes=1)
    assert Sender(clock=clock).run() == 3
    ids = [json.loads(body)["id"] for body in receiver.bodies]
    assert ids[0] in ids[1:]  # the same id, however often it is tried
    assert set(ids) == {delivery.payload["id"] for delivery in Delivery.objects.all()}
    assert set(Delivery.objects.values_list("status", flat=True)) == {"delivered"}


def test_a_day_of_500s(project, receiver):
    clock = Clock()
    WebhookFactory(target=receiver.url)
    receiver.answer = lambda got: (500, {})
    tell(project)
    for _ in range(24 * 6 + 1):
        Sender(clock=clock).run()
        clock.ahead += timedelta(minutes=10)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.response_status) == ("failed", 500)
    assert 20 < len(receiver.got) < 45
    assert len(receiver.got) == delivery.attempts


def test_a_target_that_hangs_delays_no_other(project, receiver):
    with Receiver() as hanging:
        hanging.hangs = True
        dead = WebhookFactory(target=hanging.url)
        WebhookFactory(target=receiver.url)
        tell(project, 1000)
        began = time.monotonic()
        Sender(post=quickly).run()
        assert time.monotonic() - began < 120  # 1000 letters, whatever the machine does besides
        assert len(receiver.got) == 1000
        assert 1 <= len(hanging.got) < 10  # tried again in its time, and no other of its letters
    waiting = Delivery.objects.filter(status="waiting")
    assert waiting.count() == 1000
    assert set(waiting.values_list("webhook", flat=True)) == {dead.pk}


def test_what_comes_while_one_hangs_is_sent_meanwhile(project, receiver):
    """The sender looks again while it waits."""
    with Receiver() as hanging:
        hanging.hangs = True
        WebhookFactory(target=hanging.url, events=["job.failed"])
        WebhookFactory(target=receiver.url, events=["job.succeeded"])
        tell(project)
        came: list[bool] = []

        def watched(url, *arguments, **more):
            if url == hanging.url:
                try:
                    return post(url, *arguments, **more, seconds=3)
                finally:
                    came.append(bool(receiver.got))
            return post(url, *arguments, **more)

        sender = Sender(post=watched)
        begin = sender._begin

        def telling(pool):
            if sender.tries == 1 and Delivery.objects.count() == 1:
                notifications.tell(project=project, event=Event.JOB_SUCCEEDED, subject="s", text="t")
            return begin(pool)

        sender._begin = telling
        sender.run()
        assert came == [True]


def test_dropped_while_it_is_under_way_it_stays_dropped(project, receiver, by_ana):
    webhook = WebhookFactory(target=receiver.url)
    tell(project)

    def slow(*arguments, **more):
        time.sleep(0.5)
        return post(*arguments, **more)

    sender = Sender(post=slow)
    begin = sender._begin

    def removing(pool):
        began = begin(pool)
        if began:
            webhooks.remove(webhook=webhook, by=by_ana)
        return began

    sender._begin = removing
    sender.run()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.error) == ("failed", "The webhook was removed.")


def test_a_secret_that_cannot_be_read_is_told_and_ends_nothing(project, receiver):
    broken = WebhookFactory(name="broken", target=receiver.url)
    Webhook.objects.filter(pk=broken.pk).update(sealed_target="0000000000000000:nothing")
    WebhookFactory(name="good", target=receiver.url)
    tell(project)
    delivering.deliver_due()
    assert "was sealed" in Delivery.objects.get(webhook=broken).error
    assert Delivery.objects.get(webhook__name="good").status == "delivered"


def test_a_fault_of_ours_is_told_and_ends_nothing(project, receiver):
    WebhookFactory(name="good", target=receiver.url)
    WebhookFactory(name="bad", target=f"{receiver.url}/bad")
    tell(project)

    def faulty(url, *arguments, **more):
        if url.endswith("bad"):
            raise RuntimeError(url)
        return post(url, *arguments, **more)

    Sender(post=faulty).run()
    assert Delivery.objects.get(webhook__name="good").status == "delivered"
    assert "made a mistake" in Delivery.objects.get(webhook__name="bad").error


def test_looking_costs_one_query_where_nothing_is_due(project, django_assert_num_queries):
    WebhookFactory()
    with django_assert_num_queries(1):
        assert delivering.deliver_due() == 0
