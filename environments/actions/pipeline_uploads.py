"""A bundle that somebody sent starts the pipelines that are declared `on: {upload: true}`."""

from accounts.actor import Actor
from environments.actions import pipeline_runs
from environments.models import Bundle, Environment, Pipeline
from environments.states import Trigger


def received(*, bundle: Bundle, by: Actor) -> None:
    """In the transaction that registers it. Who sent it needs no grant for that: the pipeline acts as its owner. None
    starts while the project is frozen, and the bundle is there all the same."""
    if Environment.objects.frozen().filter(project=bundle.project).exists():
        return
    for pipeline in Pipeline.objects.present().filter(project=bundle.project, enabled=True).order_by("pk"):
        if pipeline.declaration["on"].get("upload"):
            pipeline_runs.start(pipeline=pipeline, trigger=Trigger.UPLOAD, by=by, bundle=bundle)
