from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Count, Exists, Max, Min, OuterRef, Q
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Project
from environments.models.environment import Environment
from environments.models.trained_model import TrainedModel
from environments.states import Door, choices

LONGEST_ID = 300
LONGEST_TEXT = 4000
# A conversation that is going on is left alone: its tracker is read when it has been quiet for so long.
QUIET = timedelta(seconds=60)


def first_read() -> datetime:
    return timezone.now() + QUIET


class MessageQuerySet(models.QuerySet["Message"]):
    def visible_to(self, actor: Actor, project: Project) -> Self:
        """Those with environments of `project` that the actor may see."""
        if not actor.may(project, "conversations.read") or not actor.may(project, "environments.read"):
            return self.none()
        return self.filter(project=project)

    def in_conversation(self, environment: Environment, conversation: str) -> Self:
        """Oldest first."""
        return self.filter(environment=environment, conversation=conversation).order_by("pk")

    def last_of_each(self, asked: Q) -> Self:
        """Of each conversation in which a message is as `asked`, the last one that is, newest first."""
        newer = Message.objects.filter(
            asked, environment=OuterRef("environment"), conversation=OuterRef("conversation"), pk__gt=OuterRef("pk")
        )
        return self.filter(asked).filter(~Exists(newer)).order_by("-at", "-pk")

    def of_conversations(self, messages: "list[Message]") -> Self:
        """All messages of the conversations that these are of."""
        by_environment: dict[int, list[str]] = {}
        for message in messages:
            by_environment.setdefault(message.environment_id, []).append(message.conversation)
        wanted = Q(pk__in=[])
        for environment, conversations in by_environment.items():
            wanted |= Q(environment=environment, conversation__in=conversations)
        return self.filter(wanted)

    def summed(self) -> Iterable[dict[str, Any]]:
        """Rows of counts: by conversation, and in it by intent and by what the bot did."""
        by = ("environment_id", "conversation", "intent", "actions", "policies")
        counts = {
            "messages": Count("pk"),
            "last_at": Max("at"),
            "least_confidence": Min("confidence"),
            "least_action_confidence": Min("action_confidence"),
        }
        rows: Iterable[dict[str, Any]] = self.order_by().values(*by).annotate(**counts)
        return rows


class Message(models.Model):
    """Something that was said to a bot through the control plane, and what the bot made of it.

    What the bot answered is not kept: its server's tracker has it. `rasa_model_id` is Rasa's id of the model that
    answered, `model` the one here with that id, where there is one. What the bot understood (`intent`, `confidence`,
    `entities`) and did (`actions` with their `policies`, and how sure it was of the least sure one) is read from the
    tracker later, at `understood_at`; `read_at` is when that is tried (next), null when it is not any more.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="messages")
    conversation = models.CharField(max_length=LONGEST_ID)
    door = models.CharField(max_length=20, choices=choices(Door))
    at = models.DateTimeField(default=timezone.now)
    text = models.CharField(max_length=LONGEST_TEXT)
    model = models.ForeignKey(TrainedModel, on_delete=models.SET_NULL, null=True, related_name="+")
    rasa_model_id = models.CharField(max_length=200, blank=True)
    intent = models.CharField(max_length=300, blank=True)
    confidence = models.FloatField(null=True)
    entities = models.JSONField(default=list)
    actions = models.JSONField(default=list)
    policies = models.JSONField(default=list)
    action_confidence = models.FloatField(null=True)
    understood_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True, default=first_read)
    tries = models.PositiveSmallIntegerField(default=0)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(conversation=""), name="message_has_conversation")]
        indexes: ClassVar = [
            models.Index(fields=["environment", "conversation", "id"], name="message_conversation"),
            models.Index(fields=["project", "at", "id"], name="message_time"),
            models.Index(fields=["project", "intent", "at"], name="message_intent"),
            models.Index(fields=["project", "model", "at"], name="message_model"),
            models.Index(fields=["read_at"], condition=Q(read_at__isnull=False), name="message_to_read"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} in {self.conversation}"
