"""The steps of a pipeline's run, one after another: source, training, evaluation, gates, promotion.

`advance` moves a run on as far as it goes now, in moves of one transaction each, under the lock of its pipeline: of two
that come at once the second finds nothing to do. It never waits for a job: the end of the job wakes it again.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from accounts.problems import InternalError, Problem
from environments import errors
from environments.actions import bundles as bundle_actions
from environments.actions import (
    evaluations,
    jobs,
    pipeline_configs,
    pipeline_owners,
    pipeline_rows,
    pipeline_runs,
    pipeline_verdicts,
    promotions,
    repositories,
    trainings,
)
from environments.models import Environment, Evaluation, Job, PipelineRun, PipelineStep, TrainedModel
from environments.pipeline_spec import Pipeline as Declared
from environments.states import ACTIVE_JOBS, STEP_MOVES, JobKind, JobStatus, StepKind, StepStatus, sources

logger = logging.getLogger(__name__)

FAULT = "The control plane made a mistake; its log has the details."
# Somebody else promoted so often while the models were judged; then people must look.
MAX_JUDGED = 4


@dataclass
class Run:
    """A run under its lock, with its steps as they are. `texts` are the configs that are files of the bundle."""

    row: PipelineRun
    declared: Declared
    steps: list[PipelineStep]
    texts: Mapping[int, str]

    def of(self, kind: StepKind) -> list[PipelineStep]:
        return [step for step in self.steps if step.kind == kind]

    def waiting(self, kind: StepKind) -> list[PipelineStep]:
        return [step for step in self.of(kind) if step.status == StepStatus.WAITING]

    def model(self, config: int) -> TrainedModel | None:
        """What came of a config, if all went well with it so far."""
        own = [step for step in self.steps if step.config == config]
        bad = any(step.status not in (StepStatus.WAITING, StepStatus.RUNNING, StepStatus.SUCCEEDED) for step in own)
        return None if bad else next((step.model for step in own if step.kind == StepKind.TRAIN), None)

    def models(self) -> dict[int, TrainedModel]:
        found = {place: self.model(place) for place in range(len(self.declared.configs))}
        return {place: model for place, model in found.items() if model is not None}


def advance(run_id: int) -> None:
    """Move the run on until it waits for a job, or has ended."""
    while _moved(run_id):
        pass


def _moved(run_id: int) -> bool:
    try:
        texts = _texts(run_id)
        with transaction.atomic():
            row = pipeline_runs.lock(run_id)
            return row is not None and _move(row, texts)
    except Problem as problem:
        pipeline_runs.stop(run_id=run_id, problem=problem)
    except (OperationalError, InterfaceError):
        # The database went away, or had to choose between two: the move is tried again when somebody looks.
        raise
    except Exception:
        logger.exception("run %s of a pipeline met a fault", run_id)
        pipeline_runs.stop(run_id=run_id, problem=InternalError(FAULT))
    return False


def _texts(run_id: int) -> Mapping[int, str]:
    """The configs that are files of the bundle, read before the lock, where the training is what comes next."""
    row = PipelineRun.objects.told().filter(pk=run_id, status=JobStatus.RUNNING).first()
    if row is None or row.bundle is None or not row.steps.filter(kind=StepKind.TRAIN, status="waiting").exists():
        return {}
    declared = pipeline_rows.read(row.declaration, row.pipeline)
    paths = {place: config.path for place, config in enumerate(declared.configs) if config.path}
    return pipeline_configs.read(row.bundle, paths) if paths else {}


def _move(row: PipelineRun, texts: Mapping[int, str]) -> bool:
    """One move; False where there is nothing to do before a job ends."""
    if row.status == JobStatus.QUEUED:
        return pipeline_runs.begin(row)
    steps = list(row.steps.select_related("job__result", "job__bundle", "model").order_by("position"))
    run = Run(row, pipeline_rows.read(row.declaration, row.pipeline), steps, texts)
    for kind, move in MOVES.items():
        if any(step.status in (StepStatus.WAITING, StepStatus.RUNNING) for step in run.of(kind)):
            return move(run)
    pipeline_runs.end(row, JobStatus.SUCCEEDED)
    return False


# One step


def _to(step: PipelineStep, status: StepStatus, **fields: Any) -> None:
    """The next state of a step, as the row."""
    if step.status not in sources(STEP_MOVES, status):
        raise AssertionError(f"a step does not go from {step.status} to {status}")
    now = timezone.now()
    times = {"started_at": now} if status == StepStatus.RUNNING else {"finished_at": now}
    for name, value in {"status": status, **times, **fields}.items():
        setattr(step, name, value)
    step.save()


def _done(step: PipelineStep, **fields: Any) -> None:
    """Begun and ended at once."""
    _to(step, StepStatus.RUNNING)
    _to(step, StepStatus.SUCCEEDED, **fields)


def _settled(steps: list[PipelineStep]) -> bool:
    """Whether a job that one of the steps waits for has ended; each such step has its end then."""
    moved = False
    for step in steps:
        job = step.job
        if step.status == StepStatus.RUNNING and job is not None and job.status not in ACTIVE_JOBS:
            made = {"model": job.result} if step.kind == StepKind.TRAIN else {}
            _to(step, StepStatus(job.status), detail=job.error_detail, **made)
            moved = True
    return moved


def _stop_for(run: Run, steps: list[PipelineStep]) -> bool:
    """End the run with the reason of the first step that did not succeed."""
    bad = next(step for step in steps if step.status not in (StepStatus.SUCCEEDED, StepStatus.SKIPPED))
    status = JobStatus.ERRORED if bad.status == StepStatus.ERRORED else JobStatus.FAILED
    job: Job | None = bad.job
    code = job.error_code if job and job.error_code else errors.JobOfRunCancelled.code
    reason = bad.detail or f"Job {job.pk if job else ''} was cancelled."
    pipeline_runs.end(run.row, status, code=code, detail=f"{bad.name}: {reason}")
    return False


# Source


def _source(run: Run) -> bool:
    (step,) = run.of(StepKind.SOURCE)
    row, source = run.row, run.declared.source
    if step.status == StepStatus.RUNNING:
        if not _settled([step]):
            return False
        if step.status != StepStatus.SUCCEEDED or step.job is None:
            return _stop_for(run, [step])
        row.bundle = step.job.bundle
    elif row.bundle is None and source.repository is not None:
        by = pipeline_owners.acting(row, run.declared)
        repository = pipeline_rows.repository(row.pipeline.project, source.repository)
        if repository is None:
            raise errors.RepositoryRefused(f"The repository {source.repository} was removed. Add it again.")
        _to(step, StepStatus.RUNNING, job=repositories.fetch(repository=repository, by=by, ref=row.ref or source.ref))
        return True
    else:
        row.bundle = row.bundle or bundle_actions.newest(row.pipeline.project)
        bundle_actions.hold(row.bundle)
        _done(step, detail=f"bundle {row.bundle.pk}")
    row.save(update_fields=["bundle"])
    return True


# Training


def _train(run: Run) -> bool:
    waiting = run.waiting(StepKind.TRAIN)
    if not waiting:
        return _settled(run.of(StepKind.TRAIN))
    by = pipeline_owners.acting(run.row, run.declared)
    for step in waiting:
        place = step.config or 0
        config = run.declared.configs[place].inline or run.texts.get(place, "")
        project, bundle = run.row.pipeline.project, run.row.bundle
        _to(step, StepStatus.RUNNING, job=trainings.submit(project=project, by=by, bundle=bundle, config=config))
    return True


# Evaluation


def _evaluate(run: Run) -> bool:
    """First what was trained; then what serves, on the same examples, where they are known already."""
    steps = run.of(StepKind.EVALUATE)
    if _settled(steps):
        return True
    if any(step.status == StepStatus.RUNNING for step in steps):
        return False
    models = run.models()
    if not models:
        return _stop_for(run, [*run.of(StepKind.TRAIN), *steps])
    waiting = run.waiting(StepKind.EVALUATE)
    trained = [step for step in waiting if step.config is not None]
    for step in trained:
        _evaluate_model(run, step, models.get(step.config or 0))
    if not trained:
        _evaluate_what_serves(run, waiting[0])
    return True


def _evaluate_model(run: Run, step: PipelineStep, model: TrainedModel | None) -> None:
    if model is None:
        _to(step, StepStatus.SKIPPED, detail="nothing was trained")
        return
    step.model = model
    _to(step, StepStatus.RUNNING, job=_submit(run, model).job)


def _submit(run: Run, model: TrainedModel) -> Evaluation:
    by = pipeline_owners.acting(run.row, run.declared)
    return evaluations.submit(model=model, by=by, bundle=run.row.bundle, method=run.declared.evaluate)


def _evaluate_what_serves(run: Run, step: PipelineStep) -> None:
    """What it is judged against is fixed here: the promotion holds only as long as it serves."""
    serving = promotions.current_model(_environment(run))
    run.row.serving = step.model = serving
    run.row.save(update_fields=["serving"])
    gates = run.declared.gates
    if serving is None:
        _to(step, StepStatus.SKIPPED, detail="nothing serves there yet")
        return
    if gates.better_than_serving is None and gates.intent_loss is None:
        _to(step, StepStatus.SKIPPED, detail="no gate compares with it")
        return
    hashes = {found.test_hash for found in pipeline_verdicts.evaluations_of(run.of(StepKind.EVALUATE)).values()}
    known = Evaluation.objects.finished().filter(model=serving, test_hash__in=hashes - {""}).order_by("-pk").first()
    _to(step, StepStatus.RUNNING, job=(known or _submit(run, serving)).job)


def _environment(run: Run) -> Environment:
    project, name = run.row.pipeline.project, run.declared.promote
    environment = Environment.objects.active().filter(project=project, name=name).select_related("project").first()
    if environment is None:
        raise errors.EnvironmentRetired(f"{name} is retired. Declare it again, or let the pipeline promote elsewhere.")
    return environment


# Utterances that must pass


def _check(run: Run) -> bool:
    steps = run.of(StepKind.CHECK)
    if _settled(steps):
        return True
    waiting, models = run.waiting(StepKind.CHECK), run.models()
    by = pipeline_owners.acting(run.row, run.declared) if waiting and models else None
    for step in waiting:
        model = models.get(step.config or 0)
        if model is None or by is None:
            _to(step, StepStatus.SKIPPED, detail="nothing to ask")
            continue
        step.model = model
        options = {"step": step.pk, "model": model.name}
        project, bundle = run.row.pipeline.project, run.row.bundle
        job = jobs.enqueue(project=project, kind=JobKind.CHECK, by=by, bundle=bundle, options=options)
        _to(step, StepStatus.RUNNING, job=job)
    return bool(waiting)


# Gates


def _gates(run: Run) -> bool:
    models = run.models()
    if not models:
        return _stop_for(run, [step for step in run.steps if step.config is not None])
    (step,) = run.waiting(StepKind.GATES)
    _to(step, StepStatus.RUNNING)
    judged = pipeline_verdicts.judge(run.row, run.declared, run.steps, models)
    row = run.row
    row.gates, row.model = judged.documents, judged.chosen
    row.save(update_fields=["gates", "model"])
    figures = step.figures | {"verdicts": judged.documents, "serving": row.serving.name if row.serving else None}
    if judged.chosen is None:
        _to(step, StepStatus.FAILED, detail=judged.sentence, figures=figures)
        pipeline_runs.end(row, JobStatus.FAILED, code=errors.GatesNotPassed.code, detail=judged.sentence)
        return False
    _to(step, StepStatus.SUCCEEDED, detail=judged.sentence, figures=figures)
    return True


# Promotion


def _promote(run: Run) -> bool:
    row, environment = run.row, _environment(run)
    (step,) = run.of(StepKind.PROMOTE)
    by = pipeline_owners.acting(row, run.declared)
    reason = f"Pipeline {row.pipeline.name}, run {row.pk}: {step_before(run).detail}"
    try:
        outcome = promotions.promote(
            environment=environment,
            model=row.model,
            by=by,
            reason=reason,
            expected=row.serving.name if row.serving else None,
        )
    except errors.StalePromotion as stale:
        return _judge_again(run, stale)
    row.promotion = outcome.promotion
    row.save(update_fields=["promotion"])
    _done(step, detail=f"promotion {outcome.promotion.pk}")
    return True


def step_before(run: Run) -> PipelineStep:
    return run.of(StepKind.GATES)[-1]


def _judge_again(run: Run, stale: errors.StalePromotion) -> bool:
    """Somebody promoted meanwhile: what serves now is evaluated, and the gates have their say again."""
    judged = len(run.of(StepKind.GATES))
    if judged >= MAX_JUDGED:
        raise errors.ServingKeepsChanging(f"{stale.detail} That was after it had been judged {judged} times.")
    last = max(step.position for step in run.steps if step.position < pipeline_runs.PROMOTE_AT)
    again = [
        (StepKind.EVALUATE, f"evaluate what serves in {run.declared.promote} now"),
        (StepKind.GATES, "gates again"),
    ]
    PipelineStep.objects.bulk_create(
        PipelineStep(run=run.row, position=last + place, kind=kind, name=name, figures={"because": stale.detail})
        for place, (kind, name) in enumerate(again, start=1)
    )
    return True


# In their order; what is told is told by the end of the run.
MOVES: dict[StepKind, Callable[[Run], bool]] = {
    StepKind.SOURCE: _source,
    StepKind.TRAIN: _train,
    StepKind.EVALUATE: _evaluate,
    StepKind.CHECK: _check,
    StepKind.GATES: _gates,
    StepKind.PROMOTE: _promote,
}
