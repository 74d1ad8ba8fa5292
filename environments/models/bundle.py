from typing import ClassVar, Self

from django.db import models

from accounts.actor import Actor
from accounts.models import Project, User


class BundleQuerySet(models.QuerySet["Bundle"]):
    def visible_to(self, actor: Actor, project: Project) -> Self:
        return self.filter(project=project) if actor.may(project, "training.read") else self.none()


class Bundle(models.Model):
    """A Rasa project to train from (zip or tar.gz), immutable, identified by the SHA-256 of its bytes.

    `size` is in bytes, `files` the relative paths it holds.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="bundles")
    hash = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=200)
    files = models.JSONField(default=list)
    counts = models.JSONField(default=dict)
    commit = models.CharField(max_length=100, blank=True)

    objects = BundleQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "hash"], name="bundle_hash_once")]

    def __str__(self) -> str:
        return self.hash[:8]
