"""Retention: say which models, bundles, logs of jobs and messages of a project are kept, and take away the others.

Each of them goes in a transaction of its own, in which all that keeps it is looked at again: what was promoted or
tagged since the plan was made stays, and a process that dies on the way leaves nothing half done.
"""

import logging
from dataclasses import dataclass, replace

from django.db import transaction

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import InvalidFields, NotFound
from environments import errors, permissions
from environments.actions import bundles, conversations, job_logs, retention_plans, trained_models
from environments.actions.retention_plans import MODEL, Item, Plan, Rules
from environments.models import Bundle, Retention, Tag, TrainedModel

logger = logging.getLogger(__name__)

WHY = "retention"


@dataclass(frozen=True)
class Applied:
    """What went. `spared` came to be needed after the plan was made."""

    models: int = 0
    bundles: int = 0
    logs: int = 0
    freed: int = 0
    spared: int = 0
    messages: int = 0


def of(project: Project) -> Retention:
    """The project's row; where none was written, one that is not saved and keeps all."""
    return Retention.objects.filter(project=project).first() or Retention(project=project)


def rules_of(retention: Retention) -> Rules:
    return Rules(
        keep_models=retention.keep_models,
        keep_bundles=retention.keep_bundles,
        served_within_days=retention.served_within_days,
        keep_log_days=retention.keep_log_days,
        forget_after_days=retention.forget_after_days,
    )


@transaction.atomic
def put(*, project: Project, by: Actor, enabled: bool, rules: Rules) -> Retention:
    """Make these the rules of the project. Nothing goes before the next run."""
    permissions.check_can_write_retention(by, project)
    if enabled and rules == Rules():
        cure = "Say how many models or bundles are kept, or for how many days, or when messages go, or leave it off."
        raise InvalidFields(f"enabled: {cure}", errors={"enabled": [cure]})
    # Locks the row, also where there is none yet.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    retention = of(project)
    before = _as_json(retention)
    if rules.forget_after_days != retention.forget_after_days:
        permissions.check_can_edit_conversations(by, project)
    retention.enabled, retention.keep_models = enabled, rules.keep_models
    retention.keep_bundles, retention.served_within_days = rules.keep_bundles, rules.served_within_days
    retention.keep_log_days = rules.keep_log_days
    retention.forget_after_days = rules.forget_after_days
    if _as_json(retention) != before or retention.pk is None:
        retention.save()
        audit.record(
            by=by,
            action="retention.change",
            object=f"retention:{project.name}",
            project=project,
            before=before,
            after=_as_json(retention),
        )
    return retention


def _as_json(retention: Retention) -> dict[str, bool | int | None]:
    return {
        "enabled": retention.enabled,
        "keep_models": retention.keep_models,
        "keep_bundles": retention.keep_bundles,
        "served_within_days": retention.served_within_days,
        "keep_log_days": retention.keep_log_days,
        "forget_after_days": retention.forget_after_days,
    }


def preview(*, project: Project, by: Actor, rules: Rules | None = None) -> Plan:
    """What would go by `rules`, without them by those of the project."""
    permissions.check_can_preview_retention(by, project)
    return retention_plans.plan(project, rules or rules_of(of(project)))


def apply(*, project: Project, by: Actor) -> Applied:
    """Take away what the project's rules do not keep. Stops where they are changed or switched off meanwhile."""
    retention = of(project)
    done = Applied()
    if not retention.enabled:
        return done
    if retention.forget_after_days is not None:
        old = retention_plans.before(retention.forget_after_days)
        done = replace(done, messages=conversations.forget(project=project, before=old, by=by))
    for item in retention_plans.plan(project, rules_of(retention)).going:
        if _were_changed(retention):
            break
        done = _counted(done, item) if _take(item, by) else replace(done, spared=done.spared + 1)
    for job in list(retention_plans.logs_of(project, rules_of(retention)).select_related("project")):
        if _were_changed(retention):
            break
        done = replace(done, logs=done.logs + job_logs.remove(job=job, by=by, why=WHY))
    if done != Applied():
        logger.info("retention of %s: %s", project.name, done)
    return done


def _were_changed(retention: Retention) -> bool:
    if _as_json(of(retention.project)) == _as_json(retention):
        return False
    logger.info("the rules of retention of %s were changed; the rest waits for the next run", retention.project.name)
    return True


def _counted(done: Applied, item: Item) -> Applied:
    freed = done.freed + item.frees
    if item.kind == MODEL:
        return replace(done, models=done.models + 1, freed=freed)
    return replace(done, bundles=done.bundles + 1, freed=freed)


def _take(item: Item, by: Actor) -> bool:
    """False where it is needed by now, or is gone already."""
    try:
        if item.kind == MODEL:
            _delete_model(item.pk, by)
        else:
            bundles.remove(bundle=Bundle.objects.select_related("project").get(pk=item.pk), by=by, why=WHY)
    except (errors.ModelInUse, errors.BundleInUse, errors.BundleRemoved, NotFound) as problem:
        logger.info("%s %s stays: %s", item.kind, item.name, problem.detail)
        return False
    return True


@transaction.atomic
def _delete_model(pk: int, by: Actor) -> None:
    model = TrainedModel.objects.select_for_update(no_key=True, of=("self",)).select_related("project").get(pk=pk)
    # A tag is put under the same lock; deleting by hand would take it away with the model.
    tag = Tag.objects.filter(model=model).first()
    if tag is not None:
        raise errors.ModelInUse(f"{model.name} carries the tag {tag.name}.", uses=[f"it carries the tag {tag.name}"])
    trained_models.delete(model=model, by=by, why=WHY)
