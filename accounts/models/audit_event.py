from typing import ClassVar

from django.db import models

from accounts.models.project import Project


class AuditEvent(models.Model):
    """Who did what to what, when, from where. Append-only; the actor is text, so that it outlives the user."""

    at = models.DateTimeField(auto_now_add=True)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, related_name="audit_events")
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=100)
    object = models.CharField(max_length=300)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    address = models.CharField(max_length=64, blank=True)
    via = models.CharField(max_length=20)
    token = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["project", "-id"])]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object}"
