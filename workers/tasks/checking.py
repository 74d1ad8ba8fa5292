"""Checks of a pipeline: what a trained model makes of the utterances that must pass."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import BinaryIO
from urllib.parse import quote

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections

from accounts.actor import JOB, system
from environments import must_pass, permissions, rasa_reports, stored_models
from environments.actions import jobs, pipeline_checks, pipeline_rows
from environments.errors import EvaluationUnavailable, StoriesUntested
from environments.gate_spec import MustPass
from environments.gates import Answer
from environments.models import Job, PipelineStep, TrainedModel
from environments.rasa_reports import NotAReport
from workers.runtimes import RasaRuntime, chosen
from workers.tasks import running
from workers.watching import Watch


@shared_task(name="workers.check")
def check(job_id: int) -> None:
    """Run one check, if it still waits to be run."""
    running.run(job_id, _check)


@dataclass(frozen=True)
class CheckedModel:
    """The model of a check as runtimes want it."""

    model: TrainedModel

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def hash(self) -> str:
        return self.model.hash

    @property
    def version(self) -> str:
        return self.model.version

    @property
    def model_id(self) -> str:
        return self.model.model_id

    @property
    def url(self) -> str:
        return f"{settings.PUBLIC_URL}/api/projects/{self.model.project.name}/models/{quote(self.name)}"

    def open(self) -> AbstractContextManager[BinaryIO]:
        return stored_models.opened(self.model, by=system(JOB))

    def was_fetched(self) -> bool:
        """Nobody notes it for a check: the evaluation before it has told already where a server gets its models."""
        return True


def _check(job: Job, watch: Watch) -> None:
    permissions.check_can_evaluate(jobs.actor(job), job.project)
    step = PipelineStep.objects.select_related("run__pipeline__project", "model__project").get(pk=job.options["step"])
    declared = pipeline_rows.read(step.run.declaration, step.run.pipeline)
    wanted, model = declared.gates.must_pass, step.model
    if model is None:
        raise EvaluationUnavailable("The check names no model. Start the pipeline again.")
    found = _answers(chosen.runtime_for(job), CheckedModel(model), wanted, watch)
    # A connection that was idle while Rasa answered may have been cut; an open one is kept.
    close_old_connections()
    pipeline_checks.succeed(job=job, step=step, answers=must_pass.stored(found))


def _answers(
    runtime: RasaRuntime, model: CheckedModel, wanted: tuple[MustPass, ...], watch: Watch
) -> Mapping[str, Answer]:
    result = runtime.test_nlu(model, must_pass.nlu(wanted), watch)
    try:
        found = must_pass.answers(result, wanted)
        for item in wanted:
            if item.story and item.text in found:
                found[item.text] = _with_story(runtime, model, item, found[item.text], watch)
    except (NotAReport, AttributeError, TypeError) as odd:
        raise EvaluationUnavailable(
            "Rasa's answer is not that of a test. Check the version of the server, then start the pipeline again."
        ) from odd
    return found


def _with_story(runtime: RasaRuntime, model: CheckedModel, item: MustPass, answer: Answer, watch: Watch) -> Answer:
    try:
        report = rasa_reports.stories(runtime.test_stories(model, must_pass.story(item), watch), 1)
    except StoriesUntested as untested:
        return replace(answer, note=f"could not be followed by its story ({untested.detail.rstrip('.')})")
    return replace(answer, story=not report["wrong"] and report["accuracy"] == 1.0)
