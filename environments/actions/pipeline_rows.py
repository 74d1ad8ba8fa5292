"""Writing one pipeline's row, the same for every door: what changed is written, with one audit event."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import ApiToken, Project, User
from accounts.problems import InvalidFields
from environments import permissions, pipeline_spec, schedules
from environments.models import Environment, Pipeline, Repository
from environments.pipeline_spec import Pipeline as Declared
from environments.states import DeclaredIn


def spec_of(pipeline: Pipeline) -> Declared:
    """What the row declares. It was judged when it was written."""
    return read({**pipeline.declaration, "enabled": pipeline.enabled}, pipeline)


def read(declaration: dict[str, Any], pipeline: Pipeline) -> Declared:
    """What a declaration that is stored says."""
    return pipeline_spec.read_json(declaration, project=pipeline.project.name, name=pipeline.name)


def find(project: Project, name: str) -> Pipeline | None:
    """The pipeline of that name, or else the one that had it last: its runs are the history of the name."""
    named = Pipeline.objects.select_for_update(of=("self",)).select_related("project", "owner")
    named = named.filter(project=project, name=name)
    return named.filter(removed_at=None).first() or named.order_by("-removed_at").first()


def told(pipeline: Pipeline) -> dict[str, Any]:
    """What the audit trail says of it."""
    return {
        **pipeline.declaration,
        "enabled": pipeline.enabled,
        "owner": pipeline.owner.username,
        "declared_in": pipeline.declared_in,
    }


def check_can_own(by: Actor, project: Project, declared: Declared) -> None:
    """Whoever declares a pipeline holds every grant that its steps need, and what it names exists."""
    needed = pipeline_spec.grants(declared)
    permissions.check_holds_all(by, project, [grant for grant in needed if grant.count(".") == 1])
    missing = what_is_missing(project, declared)
    if missing:
        field, cure = next(iter(missing.items()))
        raise InvalidFields(f"{field}: {cure}", errors={field: [cure] for field, cure in missing.items()})
    permissions.check_holds_all(by, project, needed)


def what_is_missing(project: Project, declared: Declared) -> dict[str, str]:
    """The keys that name what is not there, each with the cure."""
    found = {}
    if declared.promote is not None:
        environment = Environment.objects.active().filter(project=project, name=declared.promote).first()
        if environment is None:
            found["promote"] = f"There is no environment {declared.promote} in this project. Define it first."
        elif environment.follows_id:
            found["promote"] = f"{declared.promote} serves what another environment serves. Promote to that one."
    name = declared.source.repository
    if name is not None and not repository(project, name):
        found["source.repository"] = f"There is no repository {name} in this project. Add it first."
    return found


def repository(project: Project, name: str) -> Repository | None:
    return Repository.objects.filter(project=project, name=name, removed_at=None).first()


def write(
    pipeline: Pipeline,
    declared: Declared,
    *,
    owner: User,
    token: ApiToken | None,
    declared_in: DeclaredIn,
    by: Actor,
) -> bool:
    """Write what is declared, with one audit event; False where nothing changed."""
    is_new = pipeline.pk is None
    gone = pipeline.removed_at is not None
    before = None if is_new else told(pipeline)
    schedule = pipeline.declaration.get("on", {}) if pipeline.enabled and not gone else None
    pipeline.declaration, pipeline.enabled = declared.declaration(), declared.enabled
    pipeline.owner, pipeline.token, pipeline.declared_in = owner, token, declared_in
    pipeline.removed_at = None
    after = told(pipeline)
    if before == after and not gone:
        # Declared again by the same person with another credential: that one counts from now on.
        Pipeline.objects.filter(pk=pipeline.pk).update(token=token)
        return False
    if schedule is None or is_new or schedule != pipeline.declaration["on"] or not declared.enabled:
        pipeline.due_at = next_due(declared, timezone.now())
    pipeline.save()
    verb = "create" if is_new else "restore" if gone else "update"
    changed = [key for key in after if before is None or before.get(key) != after[key]]
    record(
        pipeline,
        verb,
        by,
        before=before and {key: before.get(key) for key in changed},
        after={key: after[key] for key in changed},
    )
    return True


def withdraw(pipeline: Pipeline, *, by: Actor) -> None:
    """Take it out of use. Its runs stay as history; its name may be given again."""
    pipeline.removed_at, pipeline.due_at, pipeline.push_secret = timezone.now(), None, ""
    pipeline.save(update_fields=["removed_at", "due_at", "sealed_push_secret"])
    record(pipeline, "delete", by, before=told(pipeline))


def next_due(declared: Declared, after: datetime) -> datetime | None:
    """When its schedule wants it next; None where it has none, or is switched off."""
    if not declared.on.schedule or not declared.enabled:
        return None
    return schedules.next_due(schedules.parse(declared.on.schedule, declared.on.time_zone), after)


def record(pipeline: Pipeline, verb: str, by: Actor, *, before: Any = None, after: Any = None) -> None:
    audit.record(
        by=by,
        action=f"pipeline.{verb}",
        object=f"pipeline:{pipeline.name}",
        project=pipeline.project,
        before=before,
        after=after,
    )
