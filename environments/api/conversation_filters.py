"""Which conversations are asked for, and what is told of each: the same for the API and the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import BadRequest
from environments.api.scope import find_environment_or_retired
from environments.models import Environment, Message, TrainedModel
from environments.models.message import MessageQuerySet


@dataclass(frozen=True)
class Filters:
    """Empty ones let everything through. A conversation is found by one message that is as all of them ask; `until` is
    not included."""

    environment: Environment | None = None
    model: str = ""
    intent: str = ""
    least: float | None = None
    most: float | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""

    def of(self, project: Project) -> Q:
        """For messages of `project` alone. It is not asked for here: `last_of_each` repeats what is asked for each
        message, and SQLite would look through all of the project rather than through the conversation."""
        wanted = {
            "environment": self.environment,
            "intent": self.intent,
            "confidence__gte": self.least,
            "confidence__lte": self.most,
            "at__gte": self.since,
            "at__lt": self.until,
            "text__icontains": self.text,
        }
        asked = Q(**{name: value for name, value in wanted.items() if value not in ("", None)})
        return asked & Q(model__in=self._models(project)) if self.model else asked

    def _models(self, project: Project) -> list[int]:
        """Also deleted ones: a name may have been given again."""
        return list(TrainedModel.objects.filter(project=project, name=self.model).values_list("pk", flat=True))


def share(query: Mapping[str, str], name: str) -> float | None:
    """A confidence in a query; empty is none."""
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise BadRequest(f"{name} is a number from 0 to 1, such as 0.7.")
    return number


def environment_of(query: Mapping[str, str], actor: Actor, project: Project) -> Environment | None:
    name = query.get("environment", "")
    return find_environment_or_retired(actor, project, name) if name else None


@dataclass
class Summary:
    """A conversation: `message` is the last one in it that was asked for."""

    message: Message
    messages: int = 0
    last_at: datetime | None = None
    intents: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    least_confidence: float | None = None
    least_action_confidence: float | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        self.messages += row["messages"]
        self.last_at = max(filter(None, (self.last_at, row["last_at"])))
        self.least_confidence = _least(self.least_confidence, row["least_confidence"])
        self.least_action_confidence = _least(self.least_action_confidence, row["least_action_confidence"])
        self.intents += [row["intent"]] if row["intent"] and row["intent"] not in self.intents else []
        self.actions += [name for name in row["actions"] if name not in self.actions]
        self.policies += [name for name in row["policies"] if name not in self.policies]


def _least(one: float | None, other: float | None) -> float | None:
    return min((number for number in (one, other) if number is not None), default=None)


def summaries(rows: MessageQuerySet) -> list[Summary]:
    """One for each message, which are of as many conversations. Two queries."""
    messages = list(rows.select_related("environment", "model").defer("model__metadata"))
    found = {(message.environment_id, message.conversation): Summary(message) for message in messages}
    for row in Message.objects.of_conversations(messages).summed():
        found[row["environment_id"], row["conversation"]].add(row)
    return list(found.values())
