from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Plain, Project, SealedField
from environments.models.environment import Environment


class ChatTokenQuerySet(models.QuerySet["ChatToken"]):
    def open(self) -> Self:
        """Not expired, and of an environment that is there."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        opened = self.filter(unexpired, environment__retired_at=None)
        return opened.select_related("environment__project", "environment__follows")


class ChatToken(models.Model):
    """The guest link of a project: whoever has it may talk to the bot of one environment. A new one ends the old.

    `digest` finds it; the token itself is shown again to those who may hand it out.
    """

    project = models.OneToOneField(Project, on_delete=models.PROTECT, related_name="chat_token")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="+")
    bot_name = models.CharField(max_length=100, blank=True)
    description = models.CharField(max_length=1000, blank=True)
    sealed_token = SealedField()
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(null=True)

    token = Plain("sealed_token")

    objects = ChatTokenQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"of {self.project}"
