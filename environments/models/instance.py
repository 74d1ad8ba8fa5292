from typing import ClassVar

from django.db import models
from django.db.models.functions import Now


class Instance(models.Model):
    """One process of the control plane that is alive, and the marks of what it should share with the others.

    `marks` names its cache and its stores: two processes with different ones do not see the same. Times are those of
    the database, so that the clocks of machines do not matter.
    """

    name = models.CharField(max_length=16, unique=True)
    part = models.CharField(max_length=20)
    host = models.CharField(max_length=255)
    marks = models.JSONField(default=dict)
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.part} on {self.host}"
