"""Models as rows: register one whose bytes were inspected, delete one that nothing needs, tell of damage.

Registering makes no file: `receiving` commits the bytes in the same transaction. Deleting removes none either: the
sweep removes what no row names, so that the same bytes uploaded meanwhile are never pulled from under their new row.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import NotFound, Problem
from environments import archives, errors, names, permissions
from environments.actions import promotions
from environments.decisions import Record
from environments.models import (
    Bundle,
    Environment,
    Evaluation,
    Job,
    PipelineRun,
    PipelineStep,
    Proof,
    Replica,
    ServerCheck,
    Tag,
    TrainedModel,
)
from environments.states import ACTIVE_JOBS

OnConflict = Literal["refuse", "suffix"]
REFUSE: Final = "refuse"
SUFFIX: Final = "suffix"

# A replica whose last written poll is older, and older than three of its environment's intervals, is not live.
LIVE_WITHIN = timedelta(minutes=10)
# A server that pulls only at its start is asked for what it serves at least twice a minute.
REPORTED_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True)
class Registered:
    """`created` is False where the model was there already, by this name and with these bytes."""

    model: TrainedModel
    created: bool


def check_can_register(by: Actor, project: Project, job: Job | None = None) -> None:
    """The result of a training comes in under the grant that started it."""
    if job is not None:
        permissions.check_can_train(by, project)
    else:
        permissions.check_can_write_models(by, project)


def suffixed(name: str, sha256: str) -> str:
    """`<name>-<first 8 of the hash>`, the name cut to fit."""
    suffix = f"-{sha256[:8]}"
    return name[: names.LONGEST_MODEL - len(suffix)] + suffix


def name_conflict(*, project: Project, name: str, sha256: str = "", job: Job | None = None) -> Problem | None:
    """Why `name` cannot be given to the bytes (none yet: to any), None if it can. `job` may use what it reserved."""
    others = TrainedModel.objects.filter(project=project, name=name).exclude(hash=sha256)
    if others.present().exists():
        cure = ", or send on_conflict=suffix." if sha256 and job is None else "."
        return errors.NameTaken(f"There is another model named {name}. Choose another name{cure}", existing=name)
    if others.exclude(promoted_at=None).exists():
        return errors.NameReserved(
            f"A deleted model named {name} was promoted once, and history tells of it. Choose another name.", name=name
        )
    holder = Job.objects.filter(project=project, model_name=name, status__in=ACTIVE_JOBS).first()
    if holder is not None and holder != job:
        return errors.NameReserved(
            f"The name {name} is reserved by job {holder.pk}. Choose another name, or wait for the job.",
            name=name,
            job=str(holder.pk),
        )
    return None


def lock_names(project: Project) -> None:
    """Until the transaction ends nobody else registers a model or moves a free tag in `project`."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


@transaction.atomic
def register(
    *,
    project: Project,
    name: str | None,
    inspected: archives.Inspected,
    by: Actor,
    on_conflict: OnConflict = REFUSE,
    job: Job | None = None,
    bundle: Bundle | None = None,
) -> Registered:
    """The row of an archive that is about to be stored; without a name it gets one like Rasa's.

    Raises `NameTaken`, `NameReserved` or `BytesTaken`. The same bytes by the same name are no conflict: they heal a
    model that was damaged, and bring back one that was deleted.
    """
    check_can_register(by, project, job)
    if name is not None:
        names.check_model_name(name)
    lock_names(project)
    stored = TrainedModel.objects.present().filter(project=project, hash=inspected.hash).first()
    if stored is not None:
        _check_same_name(stored, name, on_conflict)
        _heal(stored, by)
        return Registered(stored, created=False)
    free = _free_name(project, name or archives.default_name(inspected), inspected.hash, on_conflict, job)
    deleted = TrainedModel.objects.filter(project=project, name=free, hash=inspected.hash).first()
    model = deleted or TrainedModel(project=project, name=free, hash=inspected.hash)
    _fill(model, inspected, by, job, bundle)
    model.save()
    after = {"hash": model.hash, "size": model.size, "version": model.version}
    _audit("model.restore" if deleted else "model.register", model, by, after=after)
    return Registered(model, created=True)


def _check_same_name(stored: TrainedModel, name: str | None, on_conflict: OnConflict) -> None:
    acceptable = {stored.name if name is None else name}
    if name is not None and on_conflict == SUFFIX:
        acceptable.add(suffixed(name, stored.hash))
    if stored.name not in acceptable:
        raise errors.BytesTaken(
            f"The same archive is stored as {stored.name}. Use that model, or upload it under that name.",
            existing=stored.name,
        )


def _heal(stored: TrainedModel, by: Actor) -> None:
    if stored.damaged_at:
        stored.damaged_at = None
        stored.save(update_fields=["damaged_at"])
        _audit("model.heal", stored, by)


def _free_name(project: Project, name: str, sha256: str, on_conflict: OnConflict, job: Job | None) -> str:
    conflict = name_conflict(project=project, name=name, sha256=sha256, job=job)
    if conflict is None:
        return name
    if on_conflict == SUFFIX:
        name = suffixed(name, sha256)
        conflict = name_conflict(project=project, name=name, sha256=sha256, job=job)
    if conflict is not None:
        raise conflict
    return name


def _fill(
    model: TrainedModel, inspected: archives.Inspected, by: Actor, job: Job | None, bundle: Bundle | None
) -> None:
    model.size = inspected.size
    model.trained_at = inspected.trained_at
    model.registered_at = timezone.now()
    model.registered_by = by.user
    model.registered_by_name = by.name
    model.version = inspected.version
    model.language = inspected.language
    model.model_id = inspected.model_id
    model.assistant_id = inspected.assistant_id
    model.counts = inspected.counts
    model.metadata = inspected.metadata
    model.job = job
    model.bundle = bundle
    model.deleted_at = None
    model.damaged_at = None


@transaction.atomic
def delete(*, model: TrainedModel, by: Actor, why: str = "") -> None:
    """Delete a model that nothing uses, and its free tags. Its row stays, so that its ETag stays known.

    `why` is kept in the audit trail. Raises `ModelInUse`, whose `uses` say by what.
    """
    locked = TrainedModel.objects.select_for_update(no_key=True).get(pk=model.pk)
    by = by.anew()
    permissions.check_can_delete_models(by, model.project)
    if locked.deleted_at:
        raise NotFound(f"There is no model {locked.name}.")
    uses = check_can_delete_now(locked)
    if uses:
        raise errors.ModelInUse(f"{locked.name} is needed: {'; '.join(uses)}. Promote another model there.", uses=uses)
    tags = Tag.objects.filter(model=locked)
    before = {"hash": locked.hash, "tags": sorted(tags.values_list("name", flat=True))}
    tags.delete()
    locked.deleted_at = timezone.now()
    locked.save(update_fields=["deleted_at"])
    _audit("model.delete", locked, by, before=before, after={"reason": why} if why else None)


def mark_damaged(*, model: TrainedModel, by: Actor) -> bool:
    """The stored bytes were found to be other ones, or gone: the model is not served until they are uploaded again.

    False if that was known.
    """
    with transaction.atomic():
        found = TrainedModel.objects.present().filter(pk=model.pk, damaged_at=None).update(damaged_at=timezone.now())
        if found:
            _audit("model.damage", model, by)
    return bool(found)


def _audit(action: str, model: TrainedModel, by: Actor, before: object = None, after: object = None) -> None:
    audit.record(by=by, action=action, object=f"model:{model.name}", project=model.project, before=before, after=after)


# What a model is needed for


def check_can_delete_now(model: TrainedModel) -> list[str]:
    """Why `model` cannot be deleted, a clause for each use; empty if it can."""
    return uses(model.project).get(model.pk, [])


def uses(project: Project) -> dict[int, list[str]]:
    """What each model of `project` is needed for, by the key of its row.

    An environment that is retired needs nothing; only its servers that still poll do.
    """
    found: dict[int, list[str]] = defaultdict(list)
    environments = list(Environment.objects.active().filter(project=project))
    for clause, model_id in _used(project, environments):
        found[model_id].append(clause)
    return found


def _used(project: Project, environments: list[Environment]) -> Iterator[tuple[str, int]]:
    yield from _used_by_tags(project, environments)
    for environment in environments:
        yield from _used_by_history(environment)
    yield from _used_by_servers(project)
    yield from _used_by_work(project)


def _used_by_tags(project: Project, environments: list[Environment]) -> Iterator[tuple[str, int]]:
    owners = [environment.name for environment in environments]
    for tag in Tag.objects.filter(project=project, name__in=owners):
        yield f"{tag.name} is to serve it", tag.model_id


def _used_by_history(environment: Environment) -> Iterator[tuple[str, int]]:
    """The last two models proven there, and the one that a rollback would bring back."""
    newest = Proof.objects.filter(environment=environment).models_newest_first()[:2]
    clauses = ("the last model proven in {} is this one", "the model proven in {} before the last is this one")
    for clause, model_id in zip(clauses, newest, strict=False):
        yield clause.format(environment.name), model_id
    try:
        target = promotions.rollback_target(environment)
    except (errors.NothingToGoBackTo, errors.ModelGone):
        return
    if target.model is not None:
        yield f"a rollback of {environment.name} would bring it back", target.model.pk


def _used_by_work(project: Project) -> Iterator[tuple[str, int]]:
    """What an evaluation tests, and what a pipeline trained, judges, judges by, or is to promote."""
    tested = Evaluation.objects.filter(project=project, job__status__in=ACTIVE_JOBS)
    for number, model_id in tested.values_list("pk", "model_id"):
        yield f"evaluation {number} tests it", model_id
    runs = PipelineRun.objects.filter(pipeline__project=project, status__in=ACTIVE_JOBS)
    chosen = runs.exclude(model=None).values_list("pk", "model_id")
    made = PipelineStep.objects.filter(run__in=runs).exclude(job__result=None).values_list("run_id", "job__result_id")
    judged_by = runs.exclude(serving=None).values_list("pk", "serving_id")
    for number, model_id in sorted({*chosen, *made, *judged_by}):
        yield f"run {number} of a pipeline has it in hand", model_id


def _used_by_servers(project: Project) -> Iterator[tuple[str, int]]:
    now = timezone.now()
    serving: dict[str, list[str]] = defaultdict(list)
    for replica in Replica.objects.remembered().filter(environment__project=project).select_related("environment"):
        if not _is_live(replica, now):
            continue
        record = Record.from_json(replica.record)
        # One of its processes may name a model while another still serves the one that was proved.
        for sha256 in {record.model, record.proved} - {None}:
            serving[str(sha256)].append(f"{replica.name} of {replica.environment.name} serves it")
    reported: dict[str, list[str]] = defaultdict(list)
    checks = ServerCheck.objects.filter(environment__project=project, reached_at__gte=now - REPORTED_WITHIN)
    for check in checks.exclude(model_id="").select_related("environment"):
        reported[check.model_id].append(f"the server of {check.environment.name} says that it serves it")
    present = TrainedModel.objects.present().filter(project=project).only("hash", "model_id")
    for model in present.filter(Q(hash__in=serving) | Q(model_id__in=reported)):
        for clause in (*serving[model.hash], *reported[model.model_id]):
            yield clause, model.pk


def _is_live(replica: Replica, now: datetime) -> bool:
    interval = timedelta(seconds=replica.environment.pull_interval or 0)
    return now - replica.last_poll_at <= max(LIVE_WITHIN, 3 * interval)
