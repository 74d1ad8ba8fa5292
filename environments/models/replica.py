from typing import ClassVar, Self

from django.db import models
from django.db.models import Max, Q

from environments.models.environment import Environment
from environments.models.promotion import Promotion
from environments.models.trained_model import TrainedModel


class ReplicaQuerySet(models.QuerySet["Replica"]):
    def remembered(self) -> Self:
        return self.filter(forgotten_at=None)


class Replica(models.Model):
    """One Rasa server process of an environment, as seen through its polls.

    `record` is what `decisions.Record` knows of it, as of the last write: downloads and proofs are written at once,
    heartbeats in batches.
    """

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="replica_set")
    name = models.CharField(max_length=200)
    address = models.CharField(max_length=64, blank=True)
    first_seen_at = models.DateTimeField()
    last_poll_at = models.DateTimeField()
    forgotten_at = models.DateTimeField(null=True)
    record = models.JSONField(default=dict)

    objects = ReplicaQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["environment", "name"], name="replica_name_once")]

    def __str__(self) -> str:
        return self.name


class ProofQuerySet(models.QuerySet["Proof"]):
    def models_newest_first(self) -> "models.QuerySet[Proof, int]":
        """The keys of the models that were proved, each once, however many replicas proved it."""
        newest = self.order_by().values("model").annotate(last_at=Max("proved_at")).order_by("-last_at")
        return newest.values_list("model_id", flat=True)


class Proof(models.Model):
    """A replica showed by its polls that it serves a model. `proved_at` is when it last newly proved it.

    Under `promotion` stands the one that was current; null where the model was a fallback.
    """

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="proofs")
    replica = models.CharField(max_length=200)
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, related_name="proofs")
    promotion = models.ForeignKey(Promotion, on_delete=models.CASCADE, null=True, related_name="proofs")
    first_at = models.DateTimeField()
    proved_at = models.DateTimeField()

    objects = ProofQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-proved_at"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["environment", "replica", "model", "promotion"],
                condition=Q(promotion__isnull=False),
                name="proof_once_per_promotion",
            ),
            models.UniqueConstraint(
                fields=["environment", "replica", "model"],
                condition=Q(promotion=None),
                name="proof_once_without_promotion",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["environment", "model", "-proved_at"])]

    def __str__(self) -> str:
        return f"{self.replica} serves {self.model}"


class Listening(models.Model):
    """When polls have been heard without a gap: `since` … `until`. One row; a restart begins it anew.

    Without it a restart of the control plane would look like a silence of every server.
    """

    since = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"since {self.since}"


class ServerCheck(models.Model):
    """The last cross-check of an environment's server: what `/version` and `/status` said.

    `version` and `minimum_compatible_version` are the last known, kept while the server is away. `failures` counts
    checks in a row without an answer.
    """

    environment = models.OneToOneField(Environment, on_delete=models.CASCADE, related_name="server_check")
    due_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True)
    reached_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)
    version = models.CharField(max_length=50, blank=True)
    minimum_compatible_version = models.CharField(max_length=50, blank=True)
    model_id = models.CharField(max_length=200, blank=True)
    model_file = models.CharField(max_length=300, blank=True)
    model_since = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.environment}: {self.version or 'never reached'}"
