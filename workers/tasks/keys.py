"""Keys that a rotation replaced go when nothing needs them any more."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from accounts.actions import keys
from environments.actions import slots

TIDY_EVERY = timedelta(minutes=10)


@shared_task(name="workers.tidy_keys")
def tidy_keys() -> None:
    now = timezone.now()
    if slots.claim("tidy-keys", now=now, next_at=now + TIDY_EVERY):
        keys.tidy()
