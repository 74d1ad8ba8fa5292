from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from accounts.actor import Actor
from accounts.models import Project, User
from environments.models.bundle import Bundle
from environments.states import JobKind, JobStatus, choices


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, actor: Actor, project: Project) -> Self:
        if not actor.may(project, "training.read"):
            return self.none()
        return self.filter(project=project).select_related("project", "bundle", "result").defer("result__metadata")


class Job(models.Model):
    """One unit of background work. The row is the truth; Celery carries its id.

    `progress` runs from 0 to 1. `model_name` is reserved from submit on. `result` is the model it made. `sent_at` is
    when its message was last given to the broker; null while it was not.

    A run is one claim of the job: `attempts` counts them and so names the present one, and `lease_until` is when it is
    taken for lost unless its worker renews it.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="jobs")
    kind = models.CharField(max_length=20, choices=choices(JobKind))
    status = models.CharField(max_length=20, choices=choices(JobStatus), default=JobStatus.QUEUED)
    progress = models.FloatField(null=True)
    step = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, null=True, related_name="jobs")
    config = models.TextField(blank=True)
    model_name = models.CharField(max_length=200, blank=True)
    tags = models.JSONField(default=list)
    result = models.ForeignKey("TrainedModel", on_delete=models.SET_NULL, null=True, related_name="+")
    error_code = models.CharField(max_length=100, blank=True)
    error_detail = models.TextField(blank=True)
    worker = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "model_name"],
                condition=Q(status__in=[JobStatus.QUEUED, JobStatus.RUNNING]) & ~Q(model_name=""),
                name="job_reserves_the_model_name",
            ),
            models.CheckConstraint(
                condition=~Q(status=JobStatus.RUNNING) | Q(lease_until__isnull=False), name="job_runs_under_a_lease"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["project", "-id"]), models.Index(fields=["status"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def seconds(self) -> float | None:
        """How long it ran."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at and self.started_at else None
