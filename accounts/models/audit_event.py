from typing import ClassVar

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import StrIndex, Substr

from accounts.models.project import Project


class AuditEvent(models.Model):
    """Who did what to what, when, from where. Append-only; the actor is text, so that it outlives the user.

    What belongs to no project (accounts, tokens, sign-ins) stands under the default one, whose readers see it.
    """

    at = models.DateTimeField(auto_now_add=True)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, related_name="audit_events")
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=100)
    # What stands before the dot of the action: `environment` of `environment.promote`.
    kind = models.GeneratedField(
        expression=Substr("action", 1, StrIndex("action", Value(".")) - 1),
        output_field=models.CharField(max_length=100),
        db_persist=True,
    )
    object = models.CharField(max_length=300)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    address = models.CharField(max_length=64, blank=True)
    via = models.CharField(max_length=20)
    token = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        # A list is of one project, narrowed by at most one of these in most questions, and newest first.
        indexes: ClassVar = [
            models.Index(fields=["project", "-at", "-id"]),
            models.Index(fields=["project", "actor", "-at", "-id"]),
            models.Index(fields=["project", "kind", "-at", "-id"]),
            models.Index(fields=["project", "action", "-at", "-id"]),
            models.Index(fields=["project", "object", "-at", "-id"]),
        ]

        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(action__contains="."), name="action_has_a_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object}"
