"""What a check of a pipeline's run found, recorded with the end of its job: both happen, or neither."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from environments.actions import jobs
from environments.models import Job, PipelineStep


@transaction.atomic
def succeed(*, job: Job, step: PipelineStep, answers: Sequence[dict[str, Any]]) -> None:
    """Raises `jobs.RunLost` or `jobs.Cancelled` where the run of the job is over."""
    # The step first and then its job, as whoever cancels the run locks them.
    PipelineStep.objects.filter(pk=step.pk).update(figures={"answers": list(answers)})
    jobs.succeed(job=job)
