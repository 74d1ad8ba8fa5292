from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import Project


class Retention(models.Model):
    """Which models, bundles and logs of jobs of a project are kept; without a row, all. A model is kept if any rule
    keeps it.

    `keep_models` and `keep_bundles` are counts of the newest, `served_within_days` keeps what served so lately,
    `keep_log_days` the logs of jobs that ended so lately; null: no such rule. What carries a
    tag is always kept, and so is what an environment needs (`trained_models.uses`). Messages are forgotten after
    `forget_after_days`; null: never.
    """

    project = models.OneToOneField(Project, on_delete=models.PROTECT, related_name="retention")
    enabled = models.BooleanField(default=False)
    keep_models = models.PositiveIntegerField(null=True)
    keep_bundles = models.PositiveIntegerField(null=True)
    served_within_days = models.PositiveIntegerField(null=True)
    keep_log_days = models.PositiveIntegerField(null=True)
    forget_after_days = models.PositiveIntegerField(null=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(keep_models=None) | Q(keep_models__gte=1), name="retention_keeps_a_model"
            ),
            models.CheckConstraint(
                condition=Q(keep_bundles=None) | Q(keep_bundles__gte=1), name="retention_keeps_a_bundle"
            ),
            models.CheckConstraint(
                condition=Q(keep_log_days=None) | Q(keep_log_days__gte=1), name="retention_keeps_logs_for_a_day"
            ),
            models.CheckConstraint(
                condition=Q(forget_after_days=None) | Q(forget_after_days__gte=1), name="retention_keeps_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"of {self.project}"
