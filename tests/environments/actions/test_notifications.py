"""Notifications: who is told of what, in the transaction of what happened."""

import threading
import time

import pytest
from django.db import transaction

from controlplane import celery_app
from environments.actions import notifications
from environments.actions.notifications import Notification
from environments.models import Delivery
from environments.states import Event
from tests.factories import ProjectFactory, WebhookFactory

pytestmark = pytest.mark.django_db


def tell(project, event=Event.JOB_FAILED, **more) -> int:
    return notifications.tell(project=project, event=event, subject="A subject", text="A text.", **more)


def told() -> list[tuple[str, str]]:
    return list(Delivery.objects.order_by("webhook__name").values_list("webhook__name", "event"))


def test_it_goes_to_each_target_that_wants_the_event(project):
    WebhookFactory(name="all")
    WebhookFactory(name="jobs", events=["job.failed", "job.succeeded"])
    WebhookFactory(name="promotions", events=["promotion.failed"])
    assert tell(project) == 2
    assert told() == [("all", "job.failed"), ("jobs", "job.failed")]


def test_it_goes_to_nobody_elsewhere_nor_to_what_is_off_or_gone(project, django_now):
    WebhookFactory(project=ProjectFactory(name="banking"))
    WebhookFactory(enabled=False)
    WebhookFactory(removed_at=django_now)
    assert tell(project) == 0
    assert not Delivery.objects.exists()


def test_environments_narrow_what_is_of_an_environment(project, production, experimental):
    WebhookFactory(name="of-production", environments=["production"])
    assert tell(project, environment=production) == 1
    assert tell(project, environment=experimental) == 0
    assert tell(project) == 1


def test_what_is_sent_says_it_in_words_and_in_data(project, production, settings):
    settings.PUBLIC_URL = "https://control.example.com"
    WebhookFactory()
    tell(project, environment=production, data={"job": "7"}, page="training/")
    payload = Delivery.objects.get().payload
    assert payload.pop("id")
    assert payload.pop("at")
    assert payload == {
        "event": "job.failed",
        "project": "default",
        "environment": "production",
        "subject": "A subject",
        "text": "A text.",
        "url": "https://control.example.com/p/default/training/",
        "data": {"job": "7"},
    }


def test_each_target_gets_an_id_of_its_own(project):
    WebhookFactory()
    WebhookFactory()
    tell(project)
    assert len({delivery.payload["id"] for delivery in Delivery.objects.all()}) == 2


def test_what_is_taken_back_is_not_told(project, sent, django_capture_on_commit_callbacks):
    WebhookFactory()
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        tell(project)
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()
    assert sent == []


def test_a_worker_is_woken_after_the_commit(project, sent, django_capture_on_commit_callbacks):
    WebhookFactory()
    with django_capture_on_commit_callbacks(execute=True):
        tell(project)
        assert sent == []
    assert sent == [("workers.deliver", [])]


def test_many_are_told_with_few_queries(project, django_assert_max_num_queries):
    WebhookFactory()
    many = [Notification(project, Event.REPLICA_SILENT, f"replica {n}", "It is silent.") for n in range(200)]
    # SQLite takes a number of rows at a time.
    with django_assert_max_num_queries(6):
        assert notifications.tell_all(many) == 200


def test_nobody_waits_for_a_broker_that_hangs(project, monkeypatch, django_capture_on_commit_callbacks):
    WebhookFactory()
    release = threading.Event()
    monkeypatch.setattr(celery_app, "send_task", lambda *_, **__: release.wait(10))
    began = time.monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        tell(project)
    release.set()
    assert time.monotonic() - began < 3
    assert Delivery.objects.count() == 1


def test_a_broker_that_is_away_loses_nothing(project, monkeypatch, django_capture_on_commit_callbacks):
    WebhookFactory()

    def away(*_, **__):
        raise ConnectionRefusedError

    monkeypatch.setattr(celery_app, "send_task", away)
    with django_capture_on_commit_callbacks(execute=True):
        tell(project)
    assert Delivery.objects.get().status == "waiting"
