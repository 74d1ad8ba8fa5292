from typing import ClassVar

from django.db import models

from accounts.models import Project


class Tally(models.Model):
    """A count that only grows: how often something happened, so that nobody need count history to know.

    `subject` is the name of an environment or the kind of a job, `label` the outcome, the status, or of a histogram
    the upper bound of a bucket, and `sum`.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    metric = models.CharField(max_length=100)
    subject = models.CharField(max_length=63)
    label = models.CharField(max_length=20, blank=True)
    value = models.FloatField(default=0)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "metric", "subject", "label"], name="tally_once")
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.subject} {self.label}: {self.value:g}"
