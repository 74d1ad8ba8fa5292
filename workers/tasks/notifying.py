"""Notifications on their way: sent as soon as they are due, given up and forgotten in their time."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from environments.actions import alerts, deliveries, slots
from environments.serving import alerting
from workers import sending

TIDY_EVERY = timedelta(minutes=10)


@shared_task(name="workers.deliver")
def deliver() -> None:
    """Look for what is due. Each row is claimed by its one sender, so that several who look are harmless."""
    sending.start()


@shared_task(name="workers.tidy_deliveries")
def tidy_deliveries() -> None:
    now = timezone.now()
    if slots.claim("tidy-deliveries", now=now, next_at=now + TIDY_EVERY):
        deliveries.tidy(now)
        alerts.tidy(now)


@shared_task(name="workers.look_for_trouble")
def look_for_trouble() -> None:
    """Tell of environments that have been in trouble for a while."""
    alerting.look_if_due(timezone.now())
