from typing import ClassVar

from django.db import models

from accounts.actor import Actor
from accounts.models import Project
from environments.models.message import LONGEST_TEXT, Message


class MarkedExampleQuerySet(models.QuerySet["MarkedExample"]):
    def visible_to(self, actor: Actor, project: Project) -> "MarkedExampleQuerySet":
        if not actor.may(project, "conversations.read"):
            return self.none()
        return self.filter(project=project)


class MarkedExample(models.Model):
    """What somebody said to a bot and a person marked as an example of `intent`, for the training data.

    `text` has its entities annotated as Rasa writes them. `message` is where it was said, null once that is forgotten.
    `digest` is of intent and text: each is there once.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="marked_examples")
    intent = models.CharField(max_length=300)
    text = models.CharField(max_length=2 * LONGEST_TEXT)
    digest = models.CharField(max_length=64)
    message = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, related_name="marks")
    by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MarkedExampleQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["intent", "id"]
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "digest"], name="marked_example_once")]

    def __str__(self) -> str:
        return f"{self.intent}: {self.text}"
