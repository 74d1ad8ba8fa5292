"""Waking a worker to move a run of a pipeline on. A wake that is lost loses nothing: `workers.tend_pipelines` looks."""

import logging

from celery import current_app

from environments.actions import after_commit
from environments.models import Job, PipelineStep
from environments.states import StepStatus

logger = logging.getLogger(__name__)

TASK = "workers.advance_run"


def wake(run_id: int) -> None:
    after_commit.call(_wake, run_id)


def job_ended(job: Job) -> None:
    """The runs that waited for the job go on once its end is stored."""
    waiting = PipelineStep.objects.filter(job=job, status=StepStatus.RUNNING)
    for run_id in waiting.values_list("run_id", flat=True).distinct():
        wake(run_id)


def _wake(run_id: int) -> None:
    try:
        current_app.send_task(TASK, args=[run_id], retry=False)
    except Exception as error:
        logger.warning("run %s of a pipeline could not be woken (%s); it is looked for", run_id, type(error).__name__)
