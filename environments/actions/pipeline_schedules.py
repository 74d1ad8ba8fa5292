"""Schedules of pipelines: when each is due is in its row, so several clocks, or one that was killed, change nothing."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from accounts.actor import PIPELINE, system
from environments.actions import pipeline_rows, pipeline_runs
from environments.models import Environment, Pipeline
from environments.states import Trigger

# How much later somebody else may have looked at the clock.
APART = timedelta(minutes=1)

logger = logging.getLogger(__name__)


def start_due(now: datetime) -> int:
    """Start each pipeline whose time has come, once for however many times were missed; how many."""
    frozen = Environment.objects.frozen().values("project")
    # One of a project that is frozen stays due.
    scheduled = Pipeline.objects.present().told().exclude(due_at=None).exclude(project__in=frozen).order_by("pk")
    return sum(_tried(pipeline, now) for pipeline in scheduled)


def _tried(pipeline: Pipeline, now: datetime) -> bool:
    try:
        return _start(pipeline, now)
    except Exception:
        # One that cannot be started must not hold up the others; it is tried again.
        logger.exception("pipeline %s could not be started by its schedule", pipeline.name)
        return False


@transaction.atomic
def _start(pipeline: Pipeline, now: datetime) -> bool:
    """A conditional update decides who starts it. A time beyond the next one was written by a clock that was wrong; or
    by whoever looked at the clock a moment later, and has started it already."""
    spec = pipeline_rows.spec_of(pipeline)
    next_at, latest = (pipeline_rows.next_due(spec, moment) for moment in (now, now + APART))
    if pipeline.due_at is None or (now < pipeline.due_at and (latest is None or pipeline.due_at <= latest)):
        return False
    same = Pipeline.objects.present().filter(pk=pipeline.pk, due_at=pipeline.due_at, enabled=True)
    if not same.update(due_at=next_at) or now < pipeline.due_at:
        return False
    logger.info("pipeline %s is due; it was wanted at %s", pipeline.name, pipeline.due_at)
    pipeline_runs.start(pipeline=pipeline, trigger=Trigger.SCHEDULE, by=system(PIPELINE))
    return True
