"""Sessions and counts of wrong passwords whose time is over are removed, each hour."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from accounts.actions import lockouts, sessions
from environments.actions import slots

TIDY_EVERY = timedelta(hours=1)


@shared_task(name="workers.tidy_sessions")
def tidy_sessions() -> None:
    now = timezone.now()
    if slots.claim("tidy-sessions", now=now, next_at=now + TIDY_EVERY):
        sessions.tidy()
        lockouts.tidy()
