from typing import ClassVar, Self

from django.db import models

from accounts.actor import Actor
from accounts.models import Project, User
from environments.models.repository import Repository


class BundleQuerySet(models.QuerySet["Bundle"]):
    def visible_to(self, actor: Actor, project: Project) -> Self:
        return self.filter(project=project) if actor.may(project, "training.read") else self.none()


class Bundle(models.Model):
    """A Rasa project to train from (zip or tar.gz), immutable, identified by the SHA-256 of its bytes.

    `size` is in bytes, `files` the relative paths it holds. `commit`, `author` and `message` name the version it was
    packed from, `ref` is the branch or tag that was asked for, `repository` where it came from. `warnings` are
    sentences about what is odd in it and keeps nobody from training.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="bundles")
    hash = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=200)
    files = models.JSONField(default=list)
    counts = models.JSONField(default=dict)
    repository = models.ForeignKey(Repository, on_delete=models.SET_NULL, null=True, related_name="bundles")
    ref = models.CharField(max_length=200, blank=True)
    commit = models.CharField(max_length=100, blank=True)
    author = models.CharField(max_length=300, blank=True)
    message = models.TextField(blank=True)
    warnings = models.JSONField(default=list)
    # Set when retention removed the bytes: the row stays, so that a model's page says from which data it came.
    removed_at = models.DateTimeField(null=True)

    objects = BundleQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "hash"], name="bundle_hash_once")]

    def __str__(self) -> str:
        return self.hash[:8]
