from collections.abc import Iterable
from typing import ClassVar, Self

from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery

from accounts.actor import Actor
from accounts.models import Project, User
from environments.models.environment import Environment
from environments.models.trained_model import TrainedModel
from environments.states import Origin, PromotionStatus, choices


class PromotionQuerySet(models.QuerySet["Promotion"]):
    def visible_to(self, actor: Actor, project: Project) -> Self:
        if not actor.may(project, "environments.read"):
            return self.none()
        return self.filter(environment__project=project).told()

    def told(self) -> Self:
        """With what a list says of each: its environment and the names of its models, whose metadata is large."""
        related = self.select_related("environment", "environment__project", "model", "previous_model")
        return related.defer("model__metadata", "previous_model__metadata")

    def with_replicas(self) -> Self:
        """With `replicas`: how many proved the model under this promotion. Counted for each row that is read, where a
        join would count for all before some are chosen."""
        counted = Promotion.objects.filter(pk=OuterRef("pk")).annotate(count=Count("proofs")).values("count")
        return self.annotate(replicas=Subquery(counted.order_by()))

    def newest(self, count: int) -> Self:
        """So many of them, newest first. They are chosen by their keys alone: a database that sorts years of history
        should not carry whole rows about."""
        return self.filter(pk__in=self.order_by("-pk").values("pk")[:count]).order_by("-pk")

    def newest_of(self, environments: Iterable[int]) -> Self:
        """The newest promotion of each environment, by its key: one look at the end of an index for each."""
        own = Promotion.objects.filter(environment=OuterRef("pk")).order_by("-pk").values("pk")[:1]
        return self.filter(pk__in=Environment.objects.filter(pk__in=environments).values(newest=Subquery(own)))

    def before(self, promotion: "Promotion") -> "Promotion | None":
        """The one that `promotion` replaced in its environment."""
        older = self.filter(environment_id=promotion.environment_id, pk__lt=promotion.pk)
        return older.order_by("-pk").first()


class Promotion(models.Model):
    """One recorded change of an environment's tag; history only grows.

    A rollback is a promotion whose `restores` names the promotion it went back to: history is a stack, see
    `actions.promotions`. `replicas` counts those that proved the model.
    """

    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="promotions")
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, null=True, related_name="promotions")
    previous_model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, null=True, related_name="+")
    restores = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    status = models.CharField(max_length=20, choices=choices(PromotionStatus))
    origin = models.CharField(max_length=20, choices=choices(Origin))
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    forced = models.BooleanField(default=False)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=100, blank=True)
    error_detail = models.TextField(blank=True)

    objects = PromotionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(model=F("previous_model")) | Q(model=None), name="promotion_changes_the_model"
            ),
            models.UniqueConstraint(
                fields=["environment"],
                condition=Q(status=PromotionStatus.ROLLING_OUT),
                name="promotion_one_rolling_out",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["environment", "-id"])]

    def __str__(self) -> str:
        return f"{self.model or 'nothing'} → {self.environment}"

    @property
    def seconds(self) -> float | None:
        return (self.finished_at - self.created_at).total_seconds() if self.finished_at else None
