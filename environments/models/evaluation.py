from typing import ClassVar, Self

from django.db import models

from accounts.actor import Actor
from accounts.models import Project
from environments.models.bundle import Bundle
from environments.models.job import Job
from environments.models.trained_model import TrainedModel
from environments.states import EvaluationMethod, JobStatus, choices


class EvaluationQuerySet(models.QuerySet["Evaluation"]):
    def visible_to(self, actor: Actor, project: Project) -> Self:
        if not actor.may(project, "evaluations.read"):
            return self.none()
        shown = self.present().filter(project=project).select_related("project", "model", "bundle", "job")
        return shown.defer("model__metadata", "predictions")

    def present(self) -> Self:
        """Not removed by somebody."""
        return self.filter(removed_at=None)

    def finished(self) -> Self:
        """With a result."""
        return self.present().filter(job__status=JobStatus.SUCCEEDED)


class Evaluation(models.Model):
    """How well one model understands one set of examples; the job that finds out has its status.

    `test_hash` is the SHA-256 of the very examples it was tested on: only evaluations of one hash are compared. It is
    "" until they are known. `intents`, `entities`, `responses` and `stories` are the reports, null where there was
    nothing to test (see `reports`). `predictions` are the answers one by one (large: lists defer it).

    `tested` is how many examples those were, `seen` how many of them the model was trained on, null where that is not
    known. `notes` are sentences on what the figures do not tell. `fetched_at`: when a server asked for the model.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="evaluations")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="evaluation")
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, related_name="evaluations")
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="evaluations")
    method = models.CharField(max_length=20, choices=choices(EvaluationMethod), default=EvaluationMethod.DATA)
    test_hash = models.CharField(max_length=64, blank=True)
    tested = models.PositiveIntegerField(null=True)
    seen = models.PositiveIntegerField(null=True)
    notes = models.JSONField(default=list)
    intents = models.JSONField(null=True)
    entities = models.JSONField(null=True)
    responses = models.JSONField(null=True)
    stories = models.JSONField(null=True)
    predictions = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    fetched_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["project", "-id"]),
            models.Index(fields=["model", "test_hash"]),
        ]

    def __str__(self) -> str:
        return f"of {self.model} on {self.bundle}"

    @property
    def f1(self) -> float | None:
        """Of the intents, weighted by how many examples each has."""
        return self.intents["f1"] if self.intents else None
