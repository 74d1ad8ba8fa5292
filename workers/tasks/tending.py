"""Periodic work for jobs, by whoever gets the time slot."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from environments.actions import jobs, queue, slots

SEND_EVERY = timedelta(seconds=4)


@shared_task(name="workers.tend_jobs")
def tend_jobs() -> None:
    """Queue again what lost its worker; send again what the broker lost or never got."""
    now = timezone.now()
    jobs.look_for_lost(now)
    if slots.claim("send-lost-jobs", now=now, next_at=now + SEND_EVERY):
        queue.send_lost()
