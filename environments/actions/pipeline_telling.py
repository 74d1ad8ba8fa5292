"""What a run of a pipeline tells people when it ends: in sentences, with every gate's verdict."""

from typing import Any

from environments.actions import notifications
from environments.errors import GatesNotPassed
from environments.models import Environment, PipelineRun
from environments.states import Event, JobStatus


def tell(run: PipelineRun) -> int:
    """In the transaction of its end; how many targets are told."""
    return notifications.tell(
        project=run.pipeline.project,
        event=event_of(run),
        subject=subject(run),
        text=text(run),
        environment=_environment(run),
        data=data(run),
        page=f"pipelines/{run.pipeline.name}/runs/{run.pk}/",
    )


def event_of(run: PipelineRun) -> Event:
    if run.status == JobStatus.SUCCEEDED:
        return Event.PIPELINE_SUCCEEDED
    return Event.GATE_FAILED if run.error_code == GatesNotPassed.code else Event.PIPELINE_FAILED


def subject(run: PipelineRun) -> str:
    """One line."""
    name = f"Pipeline {run.pipeline.name}"
    if run.promotion and run.model:
        return f"{name} promoted {run.model.name} to {run.promotion.environment.name}"
    if run.status == JobStatus.SUCCEEDED:
        return f"{name} trained {run.model.name if run.model else 'a model'}, which passed"
    if run.error_code == GatesNotPassed.code:
        return f"{name} promoted nothing: no model passed the gates"
    return f"{name} stopped: {run.error_code.replace('-', ' ') or run.status}"


def text(run: PipelineRun) -> str:
    """The reason, then the verdicts, model by model."""
    lines = [run.error_detail] if run.error_detail else []
    models = list(dict.fromkeys(verdict["model"] for verdict in run.gates))
    for model in models:
        lines.append(f"{model}:" if len(models) > 1 or not run.promotion else f"Why {model}:")
        for verdict in run.gates:
            if verdict["model"] == model:
                lines.append(f"- {'passed' if verdict['passed'] else 'not passed'}: {verdict['detail']}")
    return "\n".join(lines) or "There were no gates."


def data(run: PipelineRun) -> dict[str, Any]:
    return {
        "pipeline": run.pipeline.name,
        "run": str(run.pk),
        "status": run.status,
        "model": run.model.name if run.model else None,
        "promotion": str(run.promotion_id) if run.promotion_id else None,
        "gates": run.gates,
        "error_code": run.error_code,
    }


def _environment(run: PipelineRun) -> Environment | None:
    """The one it is about, so that who hears only of another is not told."""
    name = run.declaration.get("promote")
    return Environment.objects.filter(project=run.pipeline.project, name=name).first() if name else None
