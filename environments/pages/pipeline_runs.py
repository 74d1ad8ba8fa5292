"""One run of a pipeline: its steps as they move, and what each gate says of each model."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.problems import NotFound
from environments import permissions
from environments.actions import pipeline_runs
from environments.api.scope import find_pipeline_run
from environments.errors import PipelineRunEnded
from environments.models import Evaluation, PipelineRun, PipelineStep
from environments.pages import live
from environments.pages.access import PageRequest, page, why_not
from environments.pages.commands import api, curl
from environments.states import StepKind, StepStatus

SECTION = "pipelines"
# The keys of the gates as people say them.
GATES = {
    "minimum_f1": "Minimum F1",
    "better_than_serving": "Better than what serves",
    "intent_loss": "No intent loses",
    "must_pass": "Utterances that must pass",
}


@dataclass(frozen=True)
class Judged:
    """A model and the verdicts on it, as (name, verdict). `compare` are the evaluations to look at side by side."""

    model: str
    config: str
    verdicts: list[tuple[str, dict[str, Any]]]
    chosen: bool
    compare: tuple[int, int] | None

    @property
    def passed(self) -> bool:
        return all(verdict["passed"] for _, verdict in self.verdicts)


def judged(run: PipelineRun, steps: list[PipelineStep]) -> list[Judged]:
    """Model by model."""
    evaluations = _evaluations(steps)
    serving = evaluations.get(run.serving.name) if run.serving else None
    found: dict[str, list[dict[str, Any]]] = {}
    for verdict in run.gates:
        found.setdefault(verdict["model"], []).append(verdict)
    return [
        Judged(
            model=model,
            config=verdicts[0]["config"],
            verdicts=[(GATES.get(verdict["name"], verdict["name"]), verdict) for verdict in verdicts],
            chosen=run.model is not None and run.model.name == model,
            compare=(serving, evaluations[model]) if serving and model in evaluations else None,
        )
        for model, verdicts in found.items()
    ]


def _evaluations(steps: list[PipelineStep]) -> dict[str, int]:
    """The evaluation of each model, by its name."""
    done = [step.job_id for step in steps if step.kind == StepKind.EVALUATE and step.status == StepStatus.SUCCEEDED]
    rows = Evaluation.objects.filter(job__in=done).order_by("pk").values_list("model__name", "pk")
    return dict(rows)


def _find(request: PageRequest, name: str, run: str) -> PipelineRun:
    found = find_pipeline_run(request.actor, request.project, run)
    if found.pipeline.name != name:
        raise NotFound(f"Run {run} is not one of {name}.")
    return found


def _progress(request: PageRequest, run: PipelineRun) -> live.Piece:
    steps = list(run.steps.select_related("job", "model").defer("model__metadata").order_by("position"))
    context = {
        "run": run,
        "steps": steps,
        "judged": judged(run, steps),
        "ahead": _ahead(run),
        "sees_jobs": request.actor.may(request.project, "training.read"),
    }
    return live.piece(request, "run", "pipelines/progress.html", context)


def _ahead(run: PipelineRun) -> PipelineRun | None:
    """The run that a queued one waits for."""
    if run.status != "queued":
        return None
    return PipelineRun.objects.filter(pipeline=run.pipeline, status="running").first()


@page
def run(request: PageRequest, name: str, run: str) -> HttpResponse:
    """One run, as it moves on."""
    request.section = SECTION
    found = _find(request, name, run)
    context = {
        "run": found,
        "progress": _progress(request, found),
        "why": why_not(permissions.check_can_write_pipelines, request.actor, request.project),
        "curl": curl("GET", api(request, f"pipeline-runs/{found.pk}/", wait=60)),
    }
    return render(request, "pipelines/run.html", context)


@page
def run_changes(request: PageRequest, name: str, run: str) -> HttpResponse:
    return live.changes(request, [_progress(request, _find(request, name, run))])


@require_POST
@page
def cancel(request: PageRequest, name: str, run: str) -> HttpResponse:
    """End it, and have its jobs stop."""
    found = _find(request, name, run)
    try:
        pipeline_runs.cancel(run=found, by=request.actor)
    except PipelineRunEnded as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, f"Run {found.pk} is cancelled.")
    return redirect("pipeline-run", project=request.project.name, name=name, run=run)
