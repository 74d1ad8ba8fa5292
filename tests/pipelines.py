"""Pipelines for tests: declare one, and be the workers that run it."""

from typing import Any

from accounts.actor import Actor
from accounts.models import Project
from controlplane import celery_app
from environments import pipeline_spec
from environments.actions import pipeline_runs, pipeline_steps, pipelines, queue
from environments.models import Job, Pipeline, PipelineRun
from environments.states import JobKind, Trigger


def declare(project: Project, by: Actor, name: str = "nightly", **members: Any) -> Pipeline:
    declared = pipeline_spec.read_json(members, project=project.name, name=name)
    return pipelines.define(project=project, declared=declared, by=by)


def start(pipeline: Pipeline, by: Actor, trigger: Trigger = Trigger.HAND, **more: Any) -> PipelineRun:
    return pipeline_runs.start(pipeline=pipeline, trigger=trigger, by=by, **more)


def work() -> int:
    """Run every job that is queued now, as a worker would; how many."""
    celery_app.loader.import_default_modules()
    waiting = list(Job.objects.filter(status="queued").order_by("pk"))
    for job in waiting:
        celery_app.tasks[queue.TASKS[JobKind(job.kind)]](job.pk)
    return len(waiting)


def finish(run: PipelineRun) -> PipelineRun:
    """Move the run on, and work for it, until it has ended or waits for nothing that is queued."""
    pipeline_steps.advance(run.pk)
    while not read(run).ended and work():
        pipeline_steps.advance(run.pk)
    return read(run)


def read(run: PipelineRun) -> PipelineRun:
    return PipelineRun.objects.told().get(pk=run.pk)


def steps(run: PipelineRun) -> dict[str, str]:
    return dict(run.steps.values_list("name", "status"))
