"""Runs of pipelines as rows: start one, begin it when its turn has come, cancel it, end it. One at a time runs; of what
comes meanwhile the newest is remembered.

What happens in between is `pipeline_steps`. Whoever moves a run holds the lock of its pipeline.
"""

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.actor import Actor
from accounts.problems import Problem
from environments import errors, permissions, pipeline_spec
from environments.actions import freezes, jobs, pipeline_rows, pipeline_telling, pipeline_wakes
from environments.models import Bundle, Job, Pipeline, PipelineRun, PipelineStep
from environments.pipeline_spec import Pipeline as Declared
from environments.states import ACTIVE_JOBS, RUN_MOVES, JobStatus, StepKind, StepStatus, Trigger, sources

# Of a step; what is longer, such as the path of a config, is cut.
LONGEST_NAME = 200
# The steps after the gates, with room before them for judging again.
PROMOTE_AT, NOTIFY_AT = 1000, 1001
# Who began it, where no person did.
WORDS = {Trigger.SCHEDULE: "the schedule", Trigger.PUSH: "a push", Trigger.UPLOAD: "an upload"}


@transaction.atomic
def start(
    *,
    pipeline: Pipeline,
    trigger: Trigger,
    by: Actor,
    bundle: Bundle | None = None,
    ref: str = "",
    push_key: str = "",
) -> PipelineRun:
    """A run of the pipeline, which begins at once or when the one before it has ended; one that still waits then gives
    way to it. By hand it takes the grants of every step; what else starts it was allowed when it was declared.

    `bundle` is what it trains from in place of what the source gives; `ref` the branch that was pushed to.
    """
    locked = Pipeline.objects.select_for_update(of=("self",)).told().get(pk=pipeline.pk)
    if trigger is Trigger.HAND:
        check_may_run(locked, by.anew())
    if locked.removed_at or not locked.enabled:
        raise errors.PipelineDisabled(f"{locked.name} is switched off. Declare it with enabled: true first.")
    freezes.check_none(locked.project)
    run = PipelineRun(
        pipeline=locked,
        declaration=locked.declaration,
        trigger=trigger,
        by=by.user,
        by_name=by.name if by.user else WORDS.get(trigger, by.name),
        owner=locked.owner,
        token=locked.token,
        push_key=push_key,
        bundle=bundle,
        ref=ref,
    )
    waiting = PipelineRun.objects.filter(pipeline=locked, status=JobStatus.QUEUED)
    replaced = list(waiting.values_list("pk", flat=True))
    told = "It had not begun when a newer one was started, which took its place."
    waiting.update(status=JobStatus.CANCELLED, finished_at=timezone.now(), error_detail=told)
    run.save()
    after = {"run": run.pk, "trigger": trigger.value, "ref": ref, "replaced": replaced}
    pipeline_rows.record(locked, "run", by, after=after)
    pipeline_wakes.wake(run.pk)
    return run


def check_may_run(pipeline: Pipeline, by: Actor) -> None:
    """Whoever starts it, or is given what starts it, holds every grant that its steps need."""
    permissions.check_can_write_pipelines(by, pipeline.project)
    permissions.check_holds_all(by, pipeline.project, pipeline_spec.grants(pipeline_rows.spec_of(pipeline)))


def why_not_by_hand(pipeline: Pipeline, by: Actor) -> Problem | None:
    """Why `by` could not start it now, None if they could."""
    try:
        check_may_run(pipeline, by)
        freezes.check_none(pipeline.project)
    except Problem as problem:
        return problem
    if not pipeline.enabled:
        return errors.PipelineDisabled("It is switched off. Declare it with enabled: true first.")
    return None


def lock(run_id: int) -> PipelineRun | None:
    """The run, its pipeline locked until the transaction ends; None if it has ended."""
    pipeline_id = PipelineRun.objects.filter(pk=run_id).values_list("pipeline_id", flat=True).first()
    if pipeline_id is None:
        return None
    Pipeline.objects.select_for_update().get(pk=pipeline_id)
    return PipelineRun.objects.active().told().filter(pk=run_id).first()


def begin(run: PipelineRun) -> bool:
    """Begin a queued run as the pipeline is declared now, if none before it goes on. The caller holds the lock."""
    if PipelineRun.objects.filter(pipeline=run.pipeline, status=JobStatus.RUNNING).exists():
        return False
    pipeline = Pipeline.objects.told().get(pk=run.pipeline_id)
    if pipeline.removed_at or not pipeline.enabled:
        raise errors.PipelineDisabled(f"{pipeline.name} was switched off before the run began.")
    run.declaration, run.owner, run.token = pipeline.declaration, pipeline.owner, pipeline.token
    run.status, run.started_at = JobStatus.RUNNING, timezone.now()
    run.save(update_fields=["declaration", "owner", "token", "status", "started_at"])
    PipelineStep.objects.bulk_create(_steps(run, pipeline_rows.read(run.declaration, pipeline)))
    return True


def _steps(run: PipelineRun, declared: Declared) -> Iterator[PipelineStep]:
    titles = [config.title(place) for place, config in enumerate(declared.configs)]
    planned: list[tuple[StepKind, str, int | None]] = [(StepKind.SOURCE, "source", None)]
    for kind in (StepKind.TRAIN, StepKind.EVALUATE):
        planned += [(kind, f"{kind} {title}", place) for place, title in enumerate(titles)]
    if declared.promote is not None:
        planned.append((StepKind.EVALUATE, f"evaluate what serves in {declared.promote}", None))
    if declared.gates.must_pass:
        planned += [(StepKind.CHECK, f"check {title}", place) for place, title in enumerate(titles)]
    planned.append((StepKind.GATES, "gates", None))
    for position, (kind, name, config) in enumerate(planned):
        yield PipelineStep(run=run, position=position, kind=kind, name=name[:LONGEST_NAME], config=config)
    if declared.promote is not None:
        name = f"promote to {declared.promote}"
        yield PipelineStep(run=run, position=PROMOTE_AT, kind=StepKind.PROMOTE, name=name)
    if declared.notify:
        yield PipelineStep(run=run, position=NOTIFY_AT, kind=StepKind.NOTIFY, name="notify")


# End


@transaction.atomic
def cancel(*, run: PipelineRun, by: Actor) -> PipelineRun:
    """Stop the run and the jobs it waits for; what it promoted stays."""
    locked = lock(run.pk)
    by = by.anew()
    permissions.check_can_write_pipelines(by, run.pipeline.project)
    if locked is None:
        raise errors.PipelineRunEnded(f"Run {run.pk} has ended. There is nothing left to cancel.")
    _cancel(locked, by)
    return locked


def cancel_all(*, pipeline: Pipeline, by: Actor) -> None:
    """Every run of a pipeline that is taken away. The caller has checked who may."""
    for pk in PipelineRun.objects.active().filter(pipeline=pipeline).order_by("-pk").values_list("pk", flat=True):
        locked = lock(pk)
        if locked is not None:
            _cancel(locked, by)


def _cancel(run: PipelineRun, by: Actor) -> None:
    going_on = Job.objects.filter(steps__run=run, steps__status=StepStatus.RUNNING, status__in=ACTIVE_JOBS)
    told = list(going_on.select_related("project").distinct())
    end(run, JobStatus.CANCELLED, detail=f"Cancelled by {by.name}.")
    for job in told:
        jobs.cancel(job=job, by=by)
    pipeline_rows.record(run.pipeline, "cancel", by, after={"run": run.pk})


@transaction.atomic
def stop(*, run_id: int, problem: Problem) -> None:
    """End a run that cannot go on: `failed` where its people can cure it, `errored` where only we can."""
    run = lock(run_id)
    if run is not None:
        status = JobStatus.ERRORED if problem.status >= 500 else JobStatus.FAILED
        end(run, status, code=problem.code, detail=problem.detail)


def end(run: PipelineRun, status: JobStatus, *, code: str = "", detail: str = "") -> None:
    """Every end of a run that began or waits is here. The caller holds the lock."""
    now = timezone.now()
    run.status, run.error_code, run.error_detail, run.finished_at = status, code, detail, now
    fields: dict[str, Any] = {"status": status, "error_code": code, "error_detail": detail, "finished_at": now}
    moved = PipelineRun.objects.filter(pk=run.pk, status__in=sources(RUN_MOVES, status)).update(**fields)
    if not moved:
        return
    _end_steps(run, status)
    _next_in_turn(run)


def _end_steps(run: PipelineRun, status: JobStatus) -> None:
    """Steps that were not reached are skipped, but what came of it is told all the same, unless somebody cancelled."""
    now, steps = timezone.now(), run.steps.all()
    cancelled = status == JobStatus.CANCELLED
    steps.filter(status=StepStatus.RUNNING).update(status=StepStatus.CANCELLED, finished_at=now)
    told = steps.filter(kind=StepKind.NOTIFY, status=StepStatus.WAITING)
    if not cancelled and told.exists():
        targets = pipeline_telling.tell(run)
        detail = f"told {targets} target{'' if targets == 1 else 's'}" if targets else "nobody asked to be told"
        told.update(status=StepStatus.SUCCEEDED, detail=detail, started_at=now, finished_at=now)
    left = StepStatus.CANCELLED if cancelled else StepStatus.SKIPPED
    steps.filter(status=StepStatus.WAITING).update(status=left)


def _next_in_turn(run: PipelineRun) -> None:
    waiting = PipelineRun.objects.filter(pipeline=run.pipeline, status=JobStatus.QUEUED).first()
    if waiting is not None:
        pipeline_wakes.wake(waiting.pk)


def find_push(pipeline: Pipeline, push_key: str) -> PipelineRun | None:
    """The run that a push began, if it came before."""
    return PipelineRun.objects.told().filter(pipeline=pipeline, push_key=push_key).first()
