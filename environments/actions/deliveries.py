"""Deliveries as rows: which are due, who sends one, what became of it. Nothing here touches the network.

Sending is at least once: a sender that ends between sending and recording leaves a row that is taken up again. Nothing
is sent twice while all goes well: a sender holds the target, and each try is claimed by a conditional update.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from environments import errors, permissions
from environments.actions import after_commit, notifications
from environments.actions.notifications import TRIED_FOR, Notification
from environments.models import Delivery, Webhook
from environments.models.webhook import WebhookQuerySet
from environments.states import DeliveryStatus, Event

# Longer than any try: a sender that has not recorded it by then never will.
LEASE = timedelta(seconds=45)
# Between two tries: doubled each time, and a little more or less, so that many do not come together.
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(hours=1)
SPREAD = 0.2
# What ended is kept for so long.
KEPT_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Outcome:
    """Of one try: the status of the answer, and the error where it did not arrive. `whole`: the target takes nothing at
    all, so that others need not be tried; `pause`: seconds that it wants to be left alone."""

    status: int | None = None
    error: str = ""
    whole: bool = False
    pause: int = 0


# Send


def take(now: datetime, *, limit: int) -> list[Delivery]:
    """Deliveries that are due and are now the caller's to send: one of each target, those first that took what came
    last."""
    free = _free(now).order_by("failures", "rests_until", "pk")
    return [found for webhook in free[:limit] if (found := _take(webhook, now))]


def _free(now: datetime) -> WebhookQuerySet:
    """Webhooks with something due to which nobody sends."""
    due = Delivery.objects.filter(webhook=OuterRef("pk"), status=DeliveryStatus.WAITING, next_at__lte=now)
    present = Webhook.objects.present().filter(Q(rests_until=None) | Q(rests_until__lte=now), enabled=True)
    return present.filter(Exists(due))


@transaction.atomic
def _take(webhook: Webhook, now: datetime) -> Delivery | None:
    held = Webhook.objects.filter(pk=webhook.pk, rests_until=webhook.rests_until, enabled=True)
    if not held.update(rests_until=now + LEASE):
        return None
    waiting = Delivery.objects.filter(webhook=webhook, status=DeliveryStatus.WAITING, next_at__lte=now)
    delivery = waiting.order_by("next_at", "pk").first()
    claimed = delivery and waiting.filter(pk=delivery.pk, attempts=delivery.attempts)
    if not delivery or not claimed or not claimed.update(attempts=delivery.attempts + 1, next_at=now + LEASE):
        Webhook.objects.filter(pk=webhook.pk).update(rests_until=webhook.rests_until)
        return None
    delivery.attempts += 1
    delivery.webhook = webhook
    return delivery


@transaction.atomic
def record(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    """What became of a try. One that somebody else has taken up meanwhile, or that was dropped, stays as it is."""
    webhook = Webhook.objects.select_for_update().get(pk=delivery.webhook_id)
    waiting = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.WAITING, attempts=delivery.attempts)
    waiting.update(response_status=outcome.status, error=outcome.error[:1000], **_moves(delivery, outcome, now))
    failures = webhook.failures + 1 if outcome.whole else 0
    rest = max(pause(failures), timedelta(seconds=outcome.pause)) if outcome.whole else None
    Webhook.objects.filter(pk=webhook.pk).update(failures=failures, rests_until=now + rest if rest else None)


def _moves(delivery: Delivery, outcome: Outcome, now: datetime) -> dict[str, Any]:
    if not outcome.error:
        return {"status": DeliveryStatus.DELIVERED, "finished_at": now, "next_at": None}
    next_at = now + max(pause(delivery.attempts), timedelta(seconds=outcome.pause))
    if next_at > delivery.retry_until:
        return {"status": DeliveryStatus.FAILED, "finished_at": now, "next_at": None}
    return {"next_at": next_at}


def pause(tries: int) -> timedelta:
    """How long to wait after so many tries that failed."""
    usual = min(FIRST_PAUSE * (1 << min(tries - 1, 20)), LONGEST_PAUSE)
    return usual * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - no secret


def drop(webhook: Webhook, why: str) -> int:
    """Give up what waits for a target."""
    waiting = Delivery.objects.filter(webhook=webhook, status=DeliveryStatus.WAITING)
    return waiting.update(status=DeliveryStatus.FAILED, error=why, next_at=None, finished_at=timezone.now())


def tidy(now: datetime) -> None:
    """Give up what waits behind a target that was away or switched off for all its time, and forget what ended long
    ago."""
    late = Delivery.objects.filter(status=DeliveryStatus.WAITING, retry_until__lt=now)
    late = late.filter(Q(webhook__failures__gt=0) | Q(webhook__enabled=False))
    away = "The target took nothing until the time for it was over."
    late.update(status=DeliveryStatus.FAILED, error=away, next_at=None, finished_at=now)
    Delivery.objects.filter(finished_at__lt=now - KEPT_FOR).delete()


# By hand


@transaction.atomic
def test(*, webhook: Webhook, by: Actor) -> Delivery:
    """Send a notification that says it is a test, once and now, also where the target rests."""
    permissions.check_can_write_settings(by, webhook.project)
    _check_on(webhook)
    told = Notification(
        project=webhook.project,
        event=Event.TEST,
        subject=f"A test of the webhook {webhook.name}",
        text=f"{by.name} asked for it. Nothing happened, and notifications of {webhook.project.name} arrive here.",
        page="settings/",
    )
    now = timezone.now()
    delivery = Delivery.objects.create(
        webhook=webhook, event=told.event, payload=notifications.payload(told), next_at=now, retry_until=now
    )
    _now(webhook)
    audit.record(by=by, action="webhook.test", object=f"webhook:{webhook.name}", project=webhook.project)
    return delivery


@transaction.atomic
def redeliver(*, delivery: Delivery, by: Actor) -> Delivery:
    """Send one again that ended, with the same id, now and for another day."""
    webhook = delivery.webhook
    permissions.check_can_write_settings(by, webhook.project)
    _check_on(webhook)
    now = timezone.now()
    ended = Delivery.objects.filter(pk=delivery.pk).exclude(status=DeliveryStatus.WAITING)
    again = {"status": DeliveryStatus.WAITING, "attempts": 0, "next_at": now, "finished_at": None}
    again |= {"error": "", "response_status": None}
    if not ended.update(**again, retry_until=now + TRIED_FOR):
        raise errors.DeliveryNotEnded("It still waits to be sent. Wait until it arrived or failed.")
    _now(webhook)
    after = {"delivery": delivery.pk, "event": delivery.event}
    audit.record(
        by=by, action="webhook.redeliver", object=f"webhook:{webhook.name}", project=webhook.project, after=after
    )
    return Delivery.objects.select_related("webhook__project").get(pk=delivery.pk)


def _check_on(webhook: Webhook) -> None:
    if not Webhook.objects.present().filter(pk=webhook.pk, enabled=True).exists():
        raise errors.WebhookOff(f"{webhook.name} is switched off. Switch it on, then repeat.", name=webhook.name)


def _now(webhook: Webhook) -> None:
    """Let the target rest no longer, and have a worker look."""
    Webhook.objects.filter(pk=webhook.pk, failures__gt=0).update(failures=0, rests_until=None)
    after_commit.call(notifications.wake)
