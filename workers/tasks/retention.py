"""Each night, what the rules of retention do not keep goes, in the name of the installation."""

from datetime import UTC, datetime, time, timedelta

from celery import shared_task
from django.utils import timezone

from accounts.actor import JOB, system
from environments.actions import retention, slots
from environments.models import Environment, Retention
from workers.long_tasks import one_at_a_time

# Of each night, UTC: before the scrub, which then has less to read.
APPLY_AT = time(2, 17)
DAY = timedelta(days=1)


@shared_task(name="workers.apply_retention")
@one_at_a_time
def apply_if_due() -> None:
    now = timezone.now()
    tonight = datetime.combine(now, APPLY_AT, tzinfo=UTC)
    if slots.claim("retention", now=now, next_at=tonight if now < tonight else tonight + DAY, every=DAY):
        frozen = Environment.objects.frozen().values("project")
        for rules in Retention.objects.filter(enabled=True).exclude(project__in=frozen).select_related("project"):
            retention.apply(project=rules.project, by=system(JOB))
