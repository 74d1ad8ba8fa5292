"""Evaluations as rows: ask for one, record what came of it, compare two, take one away."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.problems import InvalidFields
from environments import comparisons, errors, permissions
from environments.actions import bundles, jobs, trainings
from environments.comparisons import Comparison
from environments.models import Bundle, Evaluation, Job, TrainedModel
from environments.models.evaluation import EvaluationQuerySet
from environments.states import EvaluationMethod, JobKind, JobStatus

FOLDS = 5
FEWEST_FOLDS, MOST_FOLDS = 2, 20


@transaction.atomic
def submit(
    *,
    model: TrainedModel,
    by: Actor,
    bundle: Bundle | None = None,
    method: EvaluationMethod | None = None,
    folds: int = FOLDS,
) -> Evaluation:
    """A test of `model` on `bundle` (None: the newest), sent to a worker after the commit.

    Without a `method` it is the bundle's own test data, and where it has none, a part of its examples that is held
    out. `folds` is for cross-validation alone.
    """
    project = model.project
    permissions.check_can_evaluate(by, project)
    if model.deleted_at is not None:
        raise errors.ModelGone(f"{model.name} was deleted. Upload it again, or choose another model.")
    if not FEWEST_FOLDS <= folds <= MOST_FOLDS:
        raise InvalidFields(
            "folds is out of range.", errors={"folds": [f"A whole number from {FEWEST_FOLDS} to {MOST_FOLDS}."]}
        )
    bundle = bundle or bundles.newest(project)
    bundles.hold(bundle)
    trainings.check_can_be_run(project)
    options = {"model": model.name, "method": method.value if method else None, "folds": folds}
    job = jobs.enqueue(project=project, kind=JobKind.EVALUATION, by=by, bundle=bundle, options=options)
    return Evaluation.objects.create(
        project=project, job=job, model=model, bundle=bundle, method=method or EvaluationMethod.DATA
    )


def submit_again(*, evaluation: Evaluation, by: Actor) -> Evaluation:
    """A test like the one that has ended."""
    options = evaluation.job.options
    method = EvaluationMethod(options["method"]) if options.get("method") else None
    folds = options.get("folds") or FOLDS
    return submit(model=evaluation.model, by=by, bundle=evaluation.bundle, method=method, folds=folds)


def fetched(*, evaluation: str, model: TrainedModel) -> None:
    """A Rasa server asked for the model of a running evaluation: if nothing comes of it, that tells where it ended."""
    if evaluation.isdecimal() and len(evaluation) < 19:
        running = Evaluation.objects.filter(pk=evaluation, model=model, job__status=JobStatus.RUNNING)
        running.update(fetched_at=timezone.now())


@transaction.atomic
def succeed(*, job: Job, evaluation: Evaluation, result: Mapping[str, Any]) -> None:
    """Store the result and end the job: both happen, or neither. `result` are fields of the row. Raises `RunLost`."""
    jobs.succeed(job=job)
    Evaluation.objects.filter(pk=evaluation.pk).update(**result)


def newest(model: TrainedModel) -> Evaluation | None:
    """The newest with a result."""
    found = Evaluation.objects.finished().filter(model=model).select_related("project", "model", "bundle", "job")
    return found.defer("model__metadata").first()


def newest_of_each(rows: EvaluationQuerySet) -> EvaluationQuerySet:
    """Of `rows` those with a result that are the newest of their model."""
    last = rows.finished().order_by().values("model").annotate(last=Max("pk")).values("last")
    return rows.filter(pk__in=last)


def pair(a: Evaluation | TrainedModel, b: Evaluation | TrainedModel) -> tuple[Evaluation, Evaluation]:
    """Two evaluations to compare. A model stands for its newest of the same examples as the other side's, and if
    there is none, for its newest. Raises `NotComparable` for a model that was never evaluated."""
    first = a if isinstance(a, Evaluation) else _like(a, _hashes(b))
    return first, b if isinstance(b, Evaluation) else _like(b, [first.test_hash])


def _hashes(side: Evaluation | TrainedModel) -> list[str]:
    if isinstance(side, Evaluation):
        return [side.test_hash]
    return list(Evaluation.objects.finished().filter(model=side).values_list("test_hash", flat=True))


def _like(model: TrainedModel, hashes: Sequence[str]) -> Evaluation:
    rows = Evaluation.objects.finished().filter(model=model).select_related("project", "model", "bundle", "job")
    rows = rows.defer("model__metadata")
    found = rows.filter(test_hash__in=hashes).first() or rows.first()
    if found is None:
        raise errors.NotComparable(f"{model.name} was not evaluated. Evaluate it, then compare.")
    return found


def latest_f1(models: Sequence[TrainedModel]) -> dict[int, float]:
    """F1 of the newest evaluation of each model that has one, by the model's id. One query."""
    last = newest_of_each(Evaluation.objects.filter(model__in=models)).values_list("model_id", "intents__f1")
    return {model: float(f1) for model, f1 in last if f1 is not None}


def compare(a: Evaluation, b: Evaluation) -> Comparison:
    """What differs between two evaluations of the same examples. Raises `NotComparable` with the reason."""
    for evaluation in (a, b):
        if evaluation.job.status != JobStatus.SUCCEEDED:
            raise errors.NotComparable(
                f"Evaluation {evaluation.pk} of {evaluation.model.name} is {evaluation.job.status} and has no result. "
                "Wait for it, or evaluate that model again."
            )
    if a.test_hash != b.test_hash:
        raise errors.NotComparable(
            f"{a.model.name} was tested on {_tested_on(a)}, {b.model.name} on {_tested_on(b)}: not the same examples. "
            "Evaluate both on the same bundle with the same method.",
            a=a.test_hash,
            b=b.test_hash,
        )
    if a.intents is None or b.intents is None:
        raise errors.NotComparable("There were no examples of intents to compare by. Choose a bundle that has some.")
    if a.predictions is None or b.predictions is None:
        raise errors.NotComparable(
            "Rasa did not tell the predictions of a cross-validation one by one. Evaluate both models on test data."
        )
    return comparisons.compare(a.predictions, b.predictions)


def _tested_on(evaluation: Evaluation) -> str:
    return f"{evaluation.tested} examples of bundle {evaluation.bundle_id} ({evaluation.get_method_display()})"


@transaction.atomic
def remove(*, evaluation: Evaluation, by: Actor) -> None:
    """Take a result away: it is listed and compared no more."""
    permissions.check_can_evaluate(by, evaluation.project)
    removed = Evaluation.objects.present().filter(pk=evaluation.pk).update(removed_at=timezone.now())
    if removed:
        before = {"model": evaluation.model.name, "test_hash": evaluation.test_hash}
        audit.record(
            by=by,
            action="evaluation.delete",
            object=f"evaluation:{evaluation.pk}",
            project=evaluation.project,
            before=before,
        )
