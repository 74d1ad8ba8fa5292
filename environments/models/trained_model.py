from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from accounts.actor import Actor
from accounts.models import Project, User
from environments import names


class TrainedModelQuerySet(models.QuerySet["TrainedModel"]):
    def present(self) -> Self:
        """Not deleted. Deleted models keep their row: their ETags stay known, their promotions stay told."""
        return self.filter(deleted_at=None)

    def latest_first(self) -> Self:
        """As they were registered; one that was deleted and uploaded again counts from then."""
        return self.order_by("-registered_at", "-pk")

    def tagged(self, tag: str) -> Self:
        """Those of one project's that carry the tag; `latest` is the one registered last."""
        if tag == names.LATEST:
            return self.filter(pk__in=self.present().latest_first().values("pk")[:1])
        return self.filter(tags__name=names.canonical_tag(tag))

    def visible_to(self, actor: Actor, project: Project) -> Self:
        if not actor.may(project, "models.read"):
            return self.none()
        return self.present().filter(project=project).defer("metadata")


class TrainedModel(models.Model):
    """One trained Rasa archive: immutable, named, identified by the SHA-256 of its bytes.

    `size` is in bytes. `metadata` is the archive's `metadata.json` whole (large: lists defer it); `counts` how many
    intents, entities, … it declares. `promoted_at` is when it first was promoted anywhere: from then on the name
    is never given to other bytes.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="trained_models")
    name = models.CharField(max_length=200)
    hash = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    trained_at = models.DateTimeField()
    registered_at = models.DateTimeField(auto_now_add=True)
    registered_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    registered_by_name = models.CharField(max_length=200)
    version = models.CharField(max_length=50)
    language = models.CharField(max_length=50, blank=True)
    model_id = models.CharField(max_length=200, blank=True)
    assistant_id = models.CharField(max_length=200, blank=True)
    counts = models.JSONField(default=dict)
    metadata = models.JSONField(default=dict)
    job = models.ForeignKey("Job", on_delete=models.SET_NULL, null=True, related_name="+")
    bundle = models.ForeignKey("Bundle", on_delete=models.SET_NULL, null=True, related_name="+")
    promoted_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    # Set when stored bytes no longer hash to `hash`: such an archive is never served again.
    damaged_at = models.DateTimeField(null=True)

    objects = TrainedModelQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=Q(deleted_at=None), name="trained_model_name_once"
            ),
            models.UniqueConstraint(
                fields=["project", "hash"], condition=Q(deleted_at=None), name="trained_model_hash_once"
            ),
            models.CheckConstraint(condition=Q(hash__regex=r"^[0-9a-f]{64}$"), name="trained_model_hash_is_sha256"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "hash"]),
            models.Index(fields=["project", "model_id"]),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def filename(self) -> str:
        return f"{self.name}.tar.gz"

    @property
    def etag(self) -> str:
        return f'"{self.hash}"'
