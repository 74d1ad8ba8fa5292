"""Periodic work of serving that must not happen in a request."""

from celery import shared_task
from django.utils import timezone

from environments.serving import cross_check
from workers.long_tasks import one_at_a_time


@shared_task(name="workers.cross_check")
@one_at_a_time
def ask_servers() -> None:
    """Ask every server that is due for `/version` and `/status`."""
    cross_check.check_due(timezone.now())
