from typing import ClassVar

from django.db import models

from accounts.models import Project
from environments.models.trained_model import TrainedModel


class Tag(models.Model):
    """A name that points to exactly one model of the project. Named like an environment, it decides what that
    environment serves, and only `actions.promotions` moves it."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="tags")
    name = models.CharField(max_length=63)
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, related_name="tags")

    class Meta:
        ordering: ClassVar = ["name"]
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "name"], name="tag_points_to_one_model")]

    def __str__(self) -> str:
        return self.name
