from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from accounts.actor import Actor
from accounts.models import ApiToken, Project, User
from environments.models.bundle import Bundle
from environments.models.environment import Environment
from environments.states import JobKind, JobStatus, choices

# Kinds of jobs that are read as evaluations are; all others as trainings.
EVALUATING = (JobKind.EVALUATION, JobKind.CHECK)


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, actor: Actor, project: Project) -> Self:
        """Those of the kinds that the actor may read."""
        rows = self.filter(project=project).select_related("project", "bundle", "result").defer("result__metadata")
        if not actor.may(project, "training.read"):
            rows = rows.filter(kind__in=EVALUATING)
        if not actor.may(project, "evaluations.read"):
            rows = rows.exclude(kind__in=EVALUATING)
        return rows

    def with_log(self) -> Self:
        """Those that printed something which nobody took away: each log begins with one piece."""
        return self.filter(log__offset=0, log_removed_at=None)


class Job(models.Model):
    """One unit of background work. The row is the truth; Celery carries its id.

    `token` is the API token it was submitted with, if it was: what narrows the token narrows the job.
    `progress` runs from 0 to 1. `model_name` is reserved from submit on. `result` is the model it made. `sent_at` is
    when its message was last given to the broker; null while it was not.

    A run is one claim of the job: `attempts` counts them and so names the present one, and `lease_until` is when it is
    taken for lost unless its worker renews it. `environment` is the one whose Rasa server does the work, set when the
    job is claimed; `runtime` is how Rasa was run. `options` are those of the job's kind (see `actions.jobs`).
    `cancel_asked_at`: its run is to stop at its next step. `log_removed_at`: the rules of retention took its log away.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="jobs")
    kind = models.CharField(max_length=20, choices=choices(JobKind))
    status = models.CharField(max_length=20, choices=choices(JobStatus), default=JobStatus.QUEUED)
    progress = models.FloatField(null=True)
    step = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=200)
    # Never forgotten: without it the job would get all that its submitter may.
    token = models.ForeignKey(ApiToken, on_delete=models.PROTECT, null=True, related_name="+")
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
    environment = models.ForeignKey(Environment, on_delete=models.SET_NULL, null=True, related_name="+")
    runtime = models.CharField(max_length=20, blank=True)
    options = models.JSONField(default=dict)
    cancel_asked_at = models.DateTimeField(null=True)
    cancelled_by_name = models.CharField(max_length=200, blank=True)
    log_removed_at = models.DateTimeField(null=True)

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
        indexes: ClassVar = [
            models.Index(fields=["project", "-id"]),
            models.Index(fields=["status"]),
            # The queue: what waits of each project, oldest first, and what runs. Small however long history is.
            models.Index(fields=["project", "kind", "id"], condition=Q(status=JobStatus.QUEUED), name="job_queue"),
            models.Index(
                fields=["kind", "project", "environment"], condition=Q(status=JobStatus.RUNNING), name="job_running"
            ),
            # Whose last turn is the longest ago, and how long the last ones took.
            models.Index(
                fields=["project", "kind", "-started_at"],
                condition=Q(started_at__isnull=False),
                name="job_started",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def seconds(self) -> float | None:
        """How long it ran."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at and self.started_at else None
