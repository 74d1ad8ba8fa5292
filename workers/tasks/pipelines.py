"""Pipelines: their schedules, and moving their runs on."""

import logging
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from environments.actions import pipeline_schedules, pipeline_steps, slots
from environments.models import PipelineRun

logger = logging.getLogger(__name__)

TEND_EVERY = timedelta(seconds=8)


@shared_task(name="workers.advance_run")
def advance_run(run_id: int) -> None:
    """Move one run on as far as it goes."""
    pipeline_steps.advance(run_id)


@shared_task(name="workers.tend_pipelines")
def tend_pipelines() -> None:
    """Start what the schedule wants, and move on every run that nobody moved: its worker was killed, its wake was
    lost, or the broker was away when its job ended."""
    now = timezone.now()
    if not slots.claim("tend-pipelines", now=now, next_at=now + TEND_EVERY):
        return
    pipeline_schedules.start_due(now)
    for run_id in PipelineRun.objects.active().order_by("pk").values_list("pk", flat=True):
        try:
            pipeline_steps.advance(run_id)
        except Exception:
            # One that cannot be moved must not hold up the others; it is tried again.
            logger.exception("run %s of a pipeline could not be moved on", run_id)
