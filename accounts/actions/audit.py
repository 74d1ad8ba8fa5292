"""Audit events: written in the transaction of the change they tell of."""

from typing import Any

from accounts.actor import Actor
from accounts.models import AuditEvent, Project


def record(
    *,
    by: Actor,
    action: str,
    object: str,
    project: Project | None,
    before: Any = None,
    after: Any = None,
) -> AuditEvent:
    """Append one event. `before` and `after` are JSON values without secrets; `object` reads `kind:name`."""
    return AuditEvent.objects.create(
        project=project,
        actor=by.name,
        action=action,
        object=object,
        before=before,
        after=after,
        address=by.address,
        via=by.via,
        token=str(by.token) if by.token else "",
    )
