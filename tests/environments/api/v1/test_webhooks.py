"""Webhooks through the API: secrets are shown once, every refusal names the field, a test tells what came of it."""

import pytest

from environments.actions import deliveries
from environments.actions.deliveries import Outcome
from environments.models import Delivery, Webhook
from tests.factories import DeliveryFactory, WebhookFactory

TARGET = "https://hooks.example.com/services/a-secret-part"
NEW = {"name": "team", "kind": "signed", "target": TARGET}


def post(client, path="", **body):
    return client.post(f"/api/v1/webhooks/{path}", body, content_type="application/json")


def patch(client, webhook, **body):
    return client.patch(f"/api/v1/webhooks/{webhook.pk}/", body, content_type="application/json")


def test_a_webhook_is_made_and_its_secret_shown_once(as_ana, production):
    made = post(as_ana, **NEW, events=["promotion.failed"], environments=["production"])
    assert made.status_code == 201, made.content
    webhook = Webhook.objects.get()
    document = made.json()
    assert document.pop("created_at")
    assert document == {
        "id": str(webhook.pk),
        "name": "team",
        "kind": "signed",
        "target": "hooks.example.com/…",
        "events": ["promotion.failed"],
        "environments": ["production"],
        "enabled": True,
        "failures": 0,
        "rests_until": None,
        "by": "ana",
        "secret": webhook.secret,
    }
    assert webhook.target == TARGET
    listed = as_ana.get("/api/v1/webhooks/").json()["results"]
    assert [one["name"] for one in listed] == ["team"]
    for shown in (str(listed), as_ana.get(f"/api/v1/webhooks/{webhook.pk}/").content.decode()):
        assert "secret" not in shown


def test_no_answer_ever_has_the_target(as_ana, production):
    made = post(as_ana, **NEW)
    changed = patch(as_ana, Webhook.objects.get(), target=f"{TARGET}/other", new_secret=True)
    taken = post(as_ana, **NEW)
    refused = post(as_ana, name="x", kind="slack", target=f"{TARGET}#fragment")
    assert [answer.status_code for answer in (made, changed, taken, refused)] == [201, 200, 409, 400]
    for answer in (made, changed, taken, refused):
        assert "a-secret-part" not in answer.content.decode()


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("name", {"name": ""}),
        ("kind", {"kind": "carrier-pigeon"}),
        ("kind", {"kind": "email", "target": "team@example.com"}),
        ("target", {"target": "http://10.0.0.1/"}),
        ("target", {"target": 5}),
        ("events", {"events": ["nothing.such"]}),
        ("events", {"events": "job.failed"}),
        ("environments", {"environments": ["nowhere"]}),
        ("enabled", {"enabled": "yes"}),
        ("secret", {"secret": "of-my-own"}),
    ],
)
def test_a_refusal_names_the_field_and_makes_nothing(as_ana, production, field, change):
    refused = post(as_ana, **{**NEW, **change})
    assert refused.status_code == 400
    [told] = refused.json()["errors"]
    assert told.partition(".")[0] == field
    assert not Webhook.objects.exists()


def test_it_is_changed_a_member_at_a_time(as_ana, production):
    webhook = WebhookFactory()
    assert patch(as_ana, webhook, enabled=False).json()["enabled"] is False
    assert patch(as_ana, webhook, events=["job.failed"]).json()["events"] == ["job.failed"]
    assert patch(as_ana, webhook).json()["secret"] is None
    assert patch(as_ana, webhook, kind="slack").status_code == 400
    webhook.refresh_from_db()
    assert (webhook.enabled, webhook.events, webhook.kind) == (False, ["job.failed"], "signed")


def test_a_new_secret_is_shown_once_and_signs_from_then_on(as_ana, production):
    webhook = WebhookFactory()
    shown = patch(as_ana, webhook, new_secret=True).json()["secret"]
    webhook.refresh_from_db()
    assert shown == webhook.secret
    assert shown != "the-secret-that-signs"


def test_a_removed_one_is_gone(as_ana, production):
    webhook = WebhookFactory()
    assert as_ana.delete(f"/api/v1/webhooks/{webhook.pk}/").status_code == 204
    for path in (f"{webhook.pk}/", f"{webhook.pk}/deliveries/"):
        assert as_ana.get(f"/api/v1/webhooks/{path}").status_code == 404
    assert as_ana.delete(f"/api/v1/webhooks/{webhook.pk}/").status_code == 404


def test_a_test_is_a_delivery_that_is_to_be_sent_now(as_ana, production, sent, django_capture_on_commit_callbacks):
    webhook = WebhookFactory()
    with django_capture_on_commit_callbacks(execute=True):
        answer = post(as_ana, f"{webhook.pk}/test/")
    assert answer.status_code == 201
    assert sent == [("workers.deliver", [])]
    document = answer.json()
    assert (document["event"], document["status"], document["attempts"]) == ("test", "waiting", 0)
    assert "ana asked for it" in document["payload"]["text"]


def test_what_is_off_is_not_tested(as_ana, production):
    webhook = WebhookFactory(enabled=False)
    refused = post(as_ana, f"{webhook.pk}/test/")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/webhook-off")


def test_a_wait_that_is_no_number_tests_nothing(as_ana, production):
    webhook = WebhookFactory()
    assert post(as_ana, f"{webhook.pk}/test/?wait=long").status_code == 400
    assert not Delivery.objects.exists()


def test_deliveries_are_told_with_what_came_of_them(as_ana, production, django_now):
    webhook = WebhookFactory()
    DeliveryFactory(webhook=webhook)
    [taken] = deliveries.take(Delivery.objects.get().next_at, limit=1)
    deliveries.record(taken, Outcome(500, "It answered with the status 500."), django_now)
    DeliveryFactory()  # of another webhook
    [told] = as_ana.get(f"/api/v1/webhooks/{webhook.pk}/deliveries/").json()["results"]
    assert (told["status"], told["attempts"], told["response_status"]) == ("waiting", 1, 500)
    assert told["error"] == "It answered with the status 500."
    assert told["next_at"]
    assert told["payload"]["subject"] == "Training 7 failed"
    listed = f"/api/v1/webhooks/{webhook.pk}/deliveries/?status="
    assert as_ana.get(f"{listed}failed").json()["results"] == []
    assert as_ana.get(f"{listed}lost").status_code == 400


def test_one_that_ended_is_sent_again(as_ana, production):
    delivery = DeliveryFactory(status="failed", next_at=None, error="No connection could be made.")
    path = f"{delivery.webhook.pk}/deliveries/{delivery.pk}/redeliver/"
    again = post(as_ana, path)
    assert (again.status_code, again.json()["status"], again.json()["error"]) == (200, "waiting", "")
    assert again.json()["payload"]["id"] == delivery.payload["id"]
    refused = post(as_ana, path)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/delivery-not-ended")


def test_a_delivery_of_another_webhook_is_not_found(as_ana, production):
    delivery, other = DeliveryFactory(status="failed"), WebhookFactory()
    assert post(as_ana, f"{other.pk}/deliveries/{delivery.pk}/redeliver/").status_code == 404
    assert post(as_ana, f"{other.pk}/deliveries/nothing/redeliver/").status_code == 404


def test_who_may_not_read_settings_sees_none(as_ben, as_cy, production):
    webhook = WebhookFactory()
    assert as_ben.get("/api/v1/webhooks/").json()["grant"] == "settings.read"
    assert as_cy.get(f"/api/v1/webhooks/{webhook.pk}/").status_code == 404
