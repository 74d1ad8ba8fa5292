"""The gates of a run, judged on its rows: which of the trained models pass, and which is the best of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from environments import gates
from environments.gates import Answer, Judged, Serving, Unjudged
from environments.models import Evaluation, PipelineRun, PipelineStep, TrainedModel
from environments.pipeline_spec import Pipeline as Declared
from environments.states import StepKind, StepStatus


@dataclass(frozen=True)
class Judgement:
    """`documents` are the verdicts as the run keeps them, `chosen` the model that is promoted, if any passed."""

    documents: list[dict[str, Any]]
    chosen: TrainedModel | None
    sentence: str


def evaluations_of(steps: Sequence[PipelineStep]) -> dict[int | None, Evaluation]:
    """Those that succeeded, by config; the newest of what serves is by None."""
    done = [step for step in steps if step.kind == StepKind.EVALUATE and step.status == StepStatus.SUCCEEDED]
    found = Evaluation.objects.filter(job__in=[step.job_id for step in done]).select_related("model")
    by_job = {evaluation.job_id: evaluation for evaluation in found.defer("model__metadata")}
    return {step.config: by_job[step.job_id] for step in done if step.job_id in by_job}


def judge(
    run: PipelineRun, declared: Declared, steps: Sequence[PipelineStep], models: Mapping[int, TrainedModel]
) -> Judgement:
    evaluated = evaluations_of(steps)
    serving = _serving(run, steps, evaluated.get(None))
    documents: list[dict[str, Any]] = []
    passing: list[tuple[float, int]] = []
    for place, model in models.items():
        candidate = _judged(model, evaluated.get(place))
        verdicts = gates.judge(
            declared.gates, candidate, serving, _answers(steps, place), candidates=len(declared.configs)
        )
        config = declared.configs[place].title(place)
        documents += [verdict.document() | {"model": model.name, "config": config} for verdict in verdicts]
        if all(verdict.passed for verdict in verdicts):
            passing.append((-1.0 if candidate.f1 is None else candidate.f1, -place))
    chosen = models[-max(passing)[1]] if passing else None
    return Judgement(documents, chosen, _sentence(documents, chosen, models))


def _judged(model: TrainedModel, evaluation: Evaluation | None) -> Judged:
    if evaluation is None:
        return Judged(model.name, None, "", [])
    return Judged(model.name, evaluation.f1, evaluation.test_hash, evaluation.predictions or [], evaluation.seen)


def _serving(run: PipelineRun, steps: Sequence[PipelineStep], evaluation: Evaluation | None) -> Serving:
    if run.serving is None:
        return None
    if evaluation is not None and evaluation.model_id == run.serving_id:
        return _judged(run.serving, evaluation)
    own = [step for step in steps if step.kind == StepKind.EVALUATE and step.config is None]
    why = own[-1].detail if own and own[-1].detail else "it was not evaluated"
    return Unjudged(run.serving.name, f"its evaluation did not succeed ({why.rstrip('.')})")


def _answers(steps: Sequence[PipelineStep], place: int) -> dict[str, Answer]:
    """What the model of a config made of the utterances that must pass, as its check stored it."""
    own = next((step for step in steps if step.kind == StepKind.CHECK and step.config == place), None)
    stored = own.figures.get("answers", []) if own else []
    return {
        item["text"]: Answer(
            item["intent"], item["confidence"], [tuple(pair) for pair in item["entities"]], item["story"], item["note"]
        )
        for item in stored
    }


def _sentence(
    documents: Sequence[Mapping[str, Any]], chosen: TrainedModel | None, models: Mapping[int, TrainedModel]
) -> str:
    """The verdict in a line: of the chosen one, or of all that did not pass."""
    if chosen is not None:
        own = [document["detail"] for document in documents if document["model"] == chosen.name]
        best = f"{chosen.name} is the best of those that passed. " if len(models) > 1 else ""
        return f"{best}{' '.join(own) or 'There are no gates.'}"
    failed = [document for document in documents if not document["passed"]]
    return " ".join(f"{document['model']}: {document['detail']}" for document in failed)
