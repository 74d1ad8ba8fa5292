"""Audit events: written in the transaction of the change they tell of."""

from typing import Any

from accounts.actor import Actor
from accounts.models import AuditEvent, Project
from accounts.models.project import DEFAULT


def record(
    *,
    by: Actor,
    action: str,
    object: str,
    project: Project | None,
    before: Any = None,
    after: Any = None,
) -> AuditEvent:
    """Append one event. `before` and `after` are JSON values without secrets; `object` reads `kind:name`, `action`
    `kind.verb`. What belongs to no project stands under the default one."""
    return AuditEvent.objects.create(
        project=project or Project.objects.filter(name=DEFAULT).first(),
        actor=by.name,
        action=action,
        object=object,
        before=before,
        after=after,
        address=by.address,
        via=by.via,
        token=str(by.token) if by.token else by.credential,
    )


def export(*, by: Actor, project: Project, form: str, filters: dict[str, str]) -> None:
    """Note that somebody takes the trail of `project` away, as `form` and as far as `filters` let through."""
    record(
        by=by,
        action="audit.export",
        object=f"project:{project.name}",
        project=project,
        after={"format": form, **filters},
    )
