"""Notifications: what happened, told to the webhooks that want to hear of it.

Told in the transaction of what it tells of: both happen, or neither. A row for each target is the truth; a worker is
woken after the commit, and one that was not woken looks by itself within seconds (`environments.delivering`).
"""

import logging
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import Project
from environments.actions import after_commit
from environments.models import Delivery, Environment, Webhook
from environments.states import Event

logger = logging.getLogger(__name__)

TASK = "workers.deliver"
# A target that takes nothing is tried again for so long.
TRIED_FOR = timedelta(days=1)
# Who tells of something waits no longer than this for a broker.
PATIENCE = 0.5


@dataclass(frozen=True)
class Notification:
    """`subject` is a line, `text` the sentences below it. `page` is the address of what it is about, below the
    project's own (`promotions/7/`). `data` are JSON values for programs."""

    project: Project
    event: Event
    subject: str
    text: str
    environment: Environment | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    page: str = ""


def tell(
    *,
    project: Project,
    event: Event,
    subject: str,
    text: str,
    environment: Environment | None = None,
    data: Mapping[str, Any] | None = None,
    page: str = "",
) -> int:
    """Tell of one thing; to how many targets."""
    return tell_all([Notification(project, event, subject, text, environment, data or {}, page)])


@transaction.atomic
def tell_all(notifications: Sequence[Notification]) -> int:
    """Tell of several things with a constant number of queries; how many deliveries they make."""
    projects = {notification.project.pk for notification in notifications}
    webhooks = list(Webhook.objects.present().filter(project__in=projects, enabled=True)) if projects else []
    made = [_delivery(webhook, told) for told in notifications for webhook in _wanting(webhooks, told)]
    if made:
        Delivery.objects.bulk_create(made)
        after_commit.call(wake)
    return len(made)


def _wanting(webhooks: Iterable[Webhook], told: Notification) -> list[Webhook]:
    return [webhook for webhook in webhooks if webhook.project_id == told.project.pk and _wants(webhook, told)]


def _wants(webhook: Webhook, told: Notification) -> bool:
    """An event that is of no environment goes to every target that wants such events."""
    named = told.environment is None or not webhook.environments or told.environment.name in webhook.environments
    return named and (not webhook.events or told.event in webhook.events)


def _delivery(webhook: Webhook, told: Notification) -> Delivery:
    now = timezone.now()
    return Delivery(webhook=webhook, event=told.event, payload=payload(told), next_at=now, retry_until=now + TRIED_FOR)


def payload(told: Notification) -> dict[str, Any]:
    """What a signed webhook sends; the other kinds are written from it. `id` stays the same over retries."""
    return {
        "id": uuid.uuid4().hex,
        "event": told.event.value,
        "at": timezone.now().isoformat(timespec="seconds"),
        "project": told.project.name,
        "environment": told.environment.name if told.environment else None,
        "subject": told.subject,
        "text": told.text,
        "url": f"{settings.PUBLIC_URL}/p/{told.project.name}/{told.page}",
        "data": dict(told.data),
    }


def wake() -> None:
    """Have a worker look for what is due, without waiting for a broker that hangs."""
    thread = threading.Thread(target=_wake, name="wake a sender", daemon=True)
    thread.start()
    thread.join(PATIENCE)


def _wake() -> None:
    try:
        current_app.send_task(TASK, retry=False)
    except Exception as error:
        logger.warning("no worker could be told of notifications (%s); one looks by itself", type(error).__name__)
