"""Evaluation jobs: choose what the model is tested on, have Rasa test it, record what came of it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections

from accounts.actor import JOB, system
from environments import bundles, examples, permissions, rasa_reports, stored_bundles, stored_models, testing_data
from environments.actions import evaluations, jobs
from environments.errors import BundleDamaged, EvaluationUnavailable, ModelGone, StoriesUntested
from environments.examples import Example
from environments.models import Evaluation, Job, TrainedModel
from environments.rasa_reports import NotAReport, Understood
from environments.states import EvaluationMethod
from environments.testing_data import TestingData
from workers.runtimes import RasaRuntime, chosen
from workers.tasks import running
from workers.watching import Watch


@shared_task(name="workers.evaluate")
def evaluate(job_id: int) -> None:
    """Run one evaluation job, if it still waits to be run."""
    running.run(job_id, _evaluate)


@dataclass(frozen=True)
class TestedModel:
    """The model of an evaluation as runtimes want it."""

    __test__ = False

    evaluation: Evaluation

    @property
    def name(self) -> str:
        return self.evaluation.model.name

    @property
    def hash(self) -> str:
        return self.evaluation.model.hash

    @property
    def version(self) -> str:
        return self.evaluation.model.version

    @property
    def model_id(self) -> str:
        return self.evaluation.model.model_id

    @property
    def url(self) -> str:
        """Says for which evaluation it is asked for, so that a test that fails can tell where it ended."""
        path = f"/api/projects/{self.evaluation.project.name}/models/{quote(self.name)}"
        return f"{settings.PUBLIC_URL}{path}?evaluation={self.evaluation.pk}"

    def open(self) -> AbstractContextManager[BinaryIO]:
        return stored_models.opened(self.evaluation.model, by=system(JOB))

    def was_fetched(self) -> bool:
        return Evaluation.objects.filter(pk=self.evaluation.pk).exclude(fetched_at=None).exists()


def _evaluate(job: Job, watch: Watch) -> None:
    permissions.check_can_evaluate(jobs.actor(job), job.project)
    evaluation = Evaluation.objects.select_related("project", "model", "bundle").get(job=job)
    watch.step("reading the bundle")
    project = stored_bundles.project_of(job.bundle)
    asked, folds = job.options.get("method"), job.options.get("folds") or evaluations.FOLDS
    data = testing_data.choose(project, EvaluationMethod(asked) if asked else None, folds)
    _check_there(evaluation.model)
    found = _tested(chosen.runtime_for(job), TestedModel(evaluation), project, data, watch)
    # A connection that was idle while Rasa tested may have been cut; an open one is kept.
    close_old_connections()
    _check_there(evaluation.model)
    watch.step("storing the result")
    seen = _seen(evaluation, project, data)
    evaluations.succeed(job=job, evaluation=evaluation, result={**found, "seen": seen, "method": data.method})


def _check_there(model: TrainedModel) -> None:
    if TrainedModel.objects.filter(pk=model.pk).exclude(deleted_at=None).exists():
        raise ModelGone(f"{model.name} was deleted meanwhile. Upload it again, then evaluate it again.")


def _tested(
    runtime: RasaRuntime, model: TestedModel, project: bundles.Project, data: TestingData, watch: Watch
) -> Mapping[str, Any]:
    """The fields of the row that Rasa's answers give."""
    notes = list(data.notes)
    understood = Understood()
    try:
        if data.examples:
            config = _config(model.evaluation)
            nlu = project.document(config) if data.folds else examples.document(data.examples)
            answer = runtime.test_nlu(model, nlu, watch, folds=data.folds)
            understood = rasa_reports.understood(answer, data.examples)
        stories = _stories(runtime, model, data, watch, notes)
    except NotAReport as odd:
        raise EvaluationUnavailable(
            "Rasa's answer is not that of a test. Check the version of the server, then evaluate again."
        ) from odd
    return {
        "intents": understood.intents,
        "entities": understood.entities,
        "responses": understood.responses,
        "predictions": understood.predictions,
        "stories": stories,
        "test_hash": data.digest,
        "tested": len(data.examples),
        "notes": notes,
    }


def _config(evaluation: Evaluation) -> str:
    """The config.yml that is cross-validated: the model's own, where it was trained with another than its bundle's."""
    job = evaluation.model.job
    return job.config if job is not None and evaluation.model.bundle_id == evaluation.bundle_id else ""


def _stories(
    runtime: RasaRuntime, model: TestedModel, data: TestingData, watch: Watch, notes: list[str]
) -> dict[str, Any] | None:
    """The report of the stories; where they cannot be tested, `notes` say why."""
    if not data.stories:
        return None
    document = bundles.dump({"version": "3.1", "stories": list(data.stories)})
    try:
        answer = runtime.test_stories(model, document, watch)
    except StoriesUntested as untested:
        if not data.examples:
            raise
        notes.append(untested.detail)
        return None
    return rasa_reports.stories(answer, len(data.stories))


def _seen(evaluation: Evaluation, project: bundles.Project, data: TestingData) -> int | None:
    """How many of the examples the model was trained on; None where that is not known, or no question."""
    if data.folds or not data.examples:
        return None
    trained = _trained_on(evaluation, project)
    return examples.seen(data.examples, trained) if trained is not None else None


def _trained_on(evaluation: Evaluation, project: bundles.Project) -> list[Example] | None:
    bundle = evaluation.model.bundle
    if bundle is None or bundle.removed_at is not None:
        return None
    try:
        trained = project if bundle == evaluation.bundle else stored_bundles.project_of(bundle)
    except BundleDamaged:
        return None
    return examples.read(trained.training.get("nlu"))
