from typing import ClassVar, Self

from django.db import models

from accounts.actor import Actor
from accounts.models import ApiToken, Plain, Project, SealedField, User
from environments.models.bundle import Bundle
from environments.models.job import Job
from environments.models.promotion import Promotion
from environments.models.trained_model import TrainedModel
from environments.states import ACTIVE_JOBS, DeclaredIn, JobStatus, StepKind, StepStatus, Trigger, choices


class PipelineQuerySet(models.QuerySet["Pipeline"]):
    def present(self) -> Self:
        return self.filter(removed_at=None)

    def told(self) -> Self:
        """With all that is needed to tell of them or to act as their owners."""
        return self.select_related("project", "owner", "token")

    def visible_to(self, actor: Actor, project: Project) -> Self:
        if not actor.may(project, "pipelines.read"):
            return self.none()
        return self.present().filter(project=project).told()


class Pipeline(models.Model):
    """How a model comes to an environment by itself: source, training, evaluation, gates, promotion, notification.

    `declaration` is what `pipelines.yml` says of it, defaults filled in. It acts as `owner`, with what that person may
    do at that moment, and no more than the `token` it was declared with. `due_at` is when its schedule wants it next.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="pipelines")
    name = models.CharField(max_length=63)
    declaration = models.JSONField(default=dict)
    declared_in = models.CharField(max_length=10, choices=choices(DeclaredIn), default=DeclaredIn.API)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    token = models.ForeignKey(ApiToken, on_delete=models.PROTECT, null=True, related_name="+")
    enabled = models.BooleanField(default=True)
    due_at = models.DateTimeField(null=True)
    sealed_push_secret = SealedField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    # What a git server signs its pushes with.
    push_secret = Plain("sealed_push_secret")

    objects = PipelineQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=models.Q(removed_at=None), name="pipeline_name_once"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return self.name


class PipelineRunQuerySet(models.QuerySet["PipelineRun"]):
    def visible_to(self, actor: Actor, project: Project) -> Self:
        if not actor.may(project, "pipelines.read"):
            return self.none()
        return self.filter(pipeline__project=project).told()

    def told(self) -> Self:
        """With all that is needed to tell of them or to move them."""
        rows = self.select_related(
            *("pipeline__project", "owner", "token", "bundle", "model", "serving", "promotion__environment")
        )
        return rows.defer("model__metadata", "serving__metadata")

    def active(self) -> Self:
        return self.filter(status__in=ACTIVE_JOBS)


class PipelineRun(models.Model):
    """One way through a pipeline as it was declared when the run began. The row is the truth.

    It acts as `owner`, who owned the pipeline then, with no more than `token` allows. One at a time is running, one
    more is queued until that has ended. `push_key` names the push that began it: one that comes again begins nothing.

    `gates` are the verdicts with their numbers, for each model that was judged, against `serving` (null: nothing
    served). `model` is the one that was chosen. Of a queued run the declaration is not fixed yet.
    """

    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="runs")
    declaration = models.JSONField(default=dict)
    trigger = models.CharField(max_length=20, choices=choices(Trigger))
    status = models.CharField(max_length=20, choices=choices(JobStatus), default=JobStatus.QUEUED)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=200)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    token = models.ForeignKey(ApiToken, on_delete=models.PROTECT, null=True, related_name="+")
    push_key = models.CharField(max_length=300, blank=True)
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, null=True, related_name="+")
    ref = models.CharField(max_length=200, blank=True)
    gates = models.JSONField(default=list)
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, null=True, related_name="+")
    serving = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, null=True, related_name="+")
    promotion = models.ForeignKey(Promotion, on_delete=models.PROTECT, null=True, related_name="+")
    error_code = models.CharField(max_length=100, blank=True)
    error_detail = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = PipelineRunQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["pipeline"], condition=models.Q(status=JobStatus.RUNNING), name="pipeline_runs_once_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["pipeline"], condition=models.Q(status=JobStatus.QUEUED), name="pipeline_remembers_one_run"
            ),
            models.UniqueConstraint(
                fields=["pipeline", "push_key"], condition=~models.Q(push_key=""), name="pipeline_runs_a_push_once"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["pipeline", "-id"]), models.Index(fields=["status"])]

    def __str__(self) -> str:
        return f"{self.pipeline} {self.pk}"

    @property
    def ended(self) -> bool:
        return self.status not in ACTIVE_JOBS

    @property
    def seconds(self) -> float | None:
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at and self.started_at else None


class PipelineStep(models.Model):
    """One step of a run; training and evaluation have one for each config. `job` is the work it waits for.

    `config` is the place of the config in the declaration, `model` the model that the step is about. `figures` are what
    the step found, as JSON.
    """

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=choices(StepKind))
    status = models.CharField(max_length=20, choices=choices(StepStatus), default=StepStatus.WAITING)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, null=True, related_name="steps")
    config = models.PositiveSmallIntegerField(null=True)
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, null=True, related_name="+")
    figures = models.JSONField(default=dict)
    detail = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["position"]
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "position"], name="pipeline_step_once")]

    def __str__(self) -> str:
        return f"{self.run}: {self.name}"
