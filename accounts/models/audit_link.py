from typing import ClassVar

from django.db import models

from accounts.models.audit_event import AuditEvent


class AuditLink(models.Model):
    """One link of the hash chain over the audit trail. Append-only; positions count 1, 2, 3 without a gap."""

    position = models.BigIntegerField(primary_key=True)
    # No constraint of the database: triggers keep events, and where somebody got past them, this row tells of it.
    event = models.OneToOneField(AuditEvent, on_delete=models.PROTECT, related_name="link", db_constraint=False)
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["position"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"
