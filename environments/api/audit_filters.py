"""Which events of the audit trail are asked for: the same words in the API's query and on the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import AuditEvent, Project
from environments.api import times


@dataclass(frozen=True)
class Filters:
    """Empty ones let everything through. An `action` that ends in a dot is all of a kind; `until` is not included."""

    actor: str = ""
    action: str = ""
    object: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def __bool__(self) -> bool:
        return bool(self.told())

    def of(self, project: Project) -> QuerySet[AuditEvent]:
        kind, dot, verb = self.action.partition(".")
        action = {"kind": kind} if kind and dot and not verb else {"action": self.action}
        wanted = {"actor": self.actor, "object": self.object, "at__gte": self.since, "at__lt": self.until, **action}
        return AuditEvent.objects.filter(project=project, **{name: value for name, value in wanted.items() if value})

    def told(self) -> dict[str, str]:
        """Those that are set, as text."""
        times = {"since": self.since, "until": self.until}
        words = {"actor": self.actor, "action": self.action, "object": self.object}
        words |= {name: at.isoformat() for name, at in times.items() if at}
        return {name: word for name, word in words.items() if word}


def read(query: Mapping[str, str]) -> Filters:
    """The filters that a query asks for; a time that is none is a `BadRequest`."""
    return Filters(
        actor=query.get("actor", ""),
        action=query.get("action", ""),
        object=query.get("object", ""),
        since=_time(query, "since"),
        until=_time(query, "until"),
    )


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    return times.parse(query[name], name) if name in query else None
