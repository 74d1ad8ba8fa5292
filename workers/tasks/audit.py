"""Sealing the audit trail into its hash chain, each minute."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from accounts.actions import audit_links
from environments.actions import slots

SEAL_EVERY = timedelta(minutes=1)


@shared_task(name="workers.seal")
def seal_if_due() -> None:
    now = timezone.now()
    if slots.claim("seal", now=now, next_at=now + SEAL_EVERY):
        audit_links.seal()
