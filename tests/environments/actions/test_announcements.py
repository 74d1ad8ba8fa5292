"""What promotions and jobs tell, in sentences."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.urls import resolve

from environments.actions import alerts, jobs, promotions
from environments.actions.alerts import Finding, Trouble
from environments.errors import TrainingUnavailable
from environments.models import Delivery
from environments.states import Event, PromotionStatus
from tests.factories import JobFactory, WebhookFactory


@pytest.fixture(autouse=True)
def webhook(project):
    return WebhookFactory()


def told() -> list[tuple[str, str, str]]:
    """Event, subject and text, in their order."""
    payloads = Delivery.objects.order_by("pk").values_list("payload", flat=True)
    return [(payload["event"], payload["subject"], payload["text"]) for payload in payloads]


def test_a_promotion_is_told_when_it_begins(production, otter, heron, by_ana):
    promotions.promote(environment=production, model=heron, by=by_ana)
    promotion = promotions.promote(environment=production, model=otter, by=by_ana, reason="better").promotion
    assert told()[1] == (
        *("promotion.started", "brisk-otter is being promoted to production"),
        "ana promotes brisk-otter to production, from calm-heron. Reason: better",
    )
    payload = Delivery.objects.latest("pk").payload
    assert payload["environment"] == "production"
    assert payload["url"].endswith(f"/p/default/promotions/{promotion.pk}/")
    assert payload["data"] == {
        "promotion": str(promotion.pk),
        "model": "brisk-otter",
        "previous_model": "calm-heron",
        "status": "rolling_out",
        "by": "ana",
    }


def test_a_rollback_says_that_it_is_one(production, otter, heron, by_ana):
    for model in (heron, otter):
        promotions.promote(environment=production, model=model, by=by_ana)
    promotions.rollback(environment=production, by=by_ana)
    assert told()[-1][2] == "ana rolls production back to calm-heron, from brisk-otter."


def test_a_promotion_to_nothing_is_done_at_once(production, otter, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    promotions.promote(environment=production, model=None, by=by_ana)
    assert told()[1] == (
        *("promotion.succeeded", "production is left without a model"),
        "ana took brisk-otter away from it.",
    )


def test_what_moved_nothing_or_was_taken_back_is_not_told(production, otter, heron, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    promotions.promote(environment=production, model=otter, by=by_ana)
    with transaction.atomic():
        promotions.promote(environment=production, model=heron, by=by_ana)
        transaction.set_rollback(True)
    assert len(told()) == 1


def settle(promotion, status, **more):
    at = promotion.created_at + timedelta(seconds=41)
    return promotions.settle(promotion=promotion, status=status, at=at, **more)


def test_what_became_of_it_is_told_once(production, otter, by_ana):
    promotion = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    assert settle(promotion, PromotionStatus.SUCCEEDED)
    assert not settle(promotion, PromotionStatus.SUCCEEDED)
    assert told()[1:] == [
        (
            *("promotion.succeeded", "production serves brisk-otter"),
            "Every expected replica proved it, 41 s after ana promoted it.",
        )
    ]


def test_a_model_that_is_stuck_is_told_with_the_reason_and_the_way_out(production, otter, by_ana):
    promotion = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    settle(promotion, PromotionStatus.FAILED, error_code="stuck", error_detail="r1: It did not load it.")
    assert told()[1] == (
        *("promotion.failed", "brisk-otter is stuck in production"),
        "r1: It did not load it. Roll back, or let the replica retry.",
    )
    assert Delivery.objects.latest("pk").payload["data"]["status"] == "failed"


def test_a_model_that_is_not_proved_in_time_is_told_and_later_proof_too(production, otter, by_ana):
    promotion = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    settle(promotion, PromotionStatus.UNPROVEN, error_code="unproven", error_detail="No proof came in time.")
    settle(promotion, PromotionStatus.SUCCEEDED)
    assert [event for event, _, _ in told()[1:]] == ["promotion.failed", "promotion.succeeded"]


def test_a_job_that_failed_is_told_with_the_reason(project):
    job = JobFactory(status="running", attempts=1, by_name="ben")
    jobs.stop(job=job, problem=TrainingUnavailable("The worker does not answer."))
    [(event, subject, text)] = told()
    assert (event, subject) == ("job.failed", f"Training {job.pk} failed")
    assert text == "The worker does not answer. It is no fault of what was submitted. ben submitted it."


def test_a_job_that_succeeded_is_told_with_its_model(project, otter):
    job = JobFactory(status="running", attempts=1, by_name="ben")
    jobs.succeed(job=job, model=otter)
    assert told() == [
        ("job.succeeded", f"Training {job.pk} succeeded", "ben submitted it. It made the model brisk-otter.")
    ]


def test_links_lead_to_pages(production, otter, by_ana, django_now):
    promotions.promote(environment=production, model=otter, by=by_ana)
    jobs.succeed(job=JobFactory(status="running", attempts=1))
    silent = Trouble(Event.REPLICA_SILENT, "r1", "It is silent.")
    out_of_sync = Trouble(Event.ENVIRONMENT_OUT_OF_SYNC, "", "It should serve brisk-otter.")
    for _ in range(2):
        alerts.take_in([Finding(production, (silent, out_of_sync))], django_now, after=timedelta(0))
    urls = [payload["url"] for payload in Delivery.objects.order_by("pk").values_list("payload", flat=True)]
    pages = [resolve(urlsplit(url).path).url_name for url in urls]
    assert pages == ["promotion", "job", "replicas", "environment"]


def test_a_job_that_was_cancelled_is_not_told(project, by_ana):
    jobs.cancel(job=JobFactory(), by=by_ana)
    assert told() == []
