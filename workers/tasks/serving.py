"""Periodic work of serving that must not happen in a request."""

from celery import shared_task
from django.utils import timezone

from environments.serving import cross_check


@shared_task(name="workers.cross_check")
def ask_servers() -> None:
    """Ask every server that is due for `/version` and `/status`."""
    cross_check.check_due(timezone.now())
