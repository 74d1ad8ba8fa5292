from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from accounts.actor import Actor
from accounts.models import Plain, Project, SealedField, User
from environments.models.environment import Environment
from environments.states import DeliveryStatus, Event, WebhookKind, choices


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def present(self) -> Self:
        return self.filter(removed_at=None)

    def visible_to(self, actor: Actor, project: Project) -> Self:
        if not actor.may(project, "settings.read"):
            return self.none()
        return self.present().filter(project=project).select_related("project")


class Webhook(models.Model):
    """Where notifications go. `target` is a URL (of Slack's kind it holds a secret) or an address of e-mail.

    `events` and `environments` are names; an empty list stands for all. `secret` signs what is sent. Until
    `rests_until` nobody sends there: somebody does, or it failed as a whole so many times (`failures`) in a row.
    `shown_target` tells people which target it is, without what is secret of it.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="webhooks")
    name = models.CharField(max_length=63)
    kind = models.CharField(max_length=20, choices=choices(WebhookKind))
    sealed_target = SealedField()
    sealed_secret = SealedField(blank=True)
    shown_target = models.CharField(max_length=300)
    events = models.JSONField(default=list)
    environments = models.JSONField(default=list)
    enabled = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0)
    rests_until = models.DateTimeField(null=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    target = Plain("sealed_target")
    secret = Plain("sealed_secret")

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], condition=Q(removed_at=None), name="webhook_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One notification on its way to one target; the row is the truth. `next_at` is when it is tried (again), and after
    `retry_until` it is not.

    `response_status` and `error` are of the last try; of the answer's body nothing is kept.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=50, choices=choices(Event))
    payload = models.JSONField(default=dict)
    status = models.CharField(max_length=20, choices=choices(DeliveryStatus), default=DeliveryStatus.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    retry_until = models.DateTimeField()
    response_status = models.PositiveSmallIntegerField(null=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["webhook", "-id"]),
            models.Index(fields=["next_at"], condition=Q(status=DeliveryStatus.WAITING), name="delivery_due"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook}"


class Alert(models.Model):
    """Something that is wrong with an environment since `since`, until `recovered_at`. `subject` is a replica's name,
    or "". It is told of once it has lasted (`told_at`), and only what was told of is told to have recovered. It was
    not seen any more since `calm_since`."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="alerts")
    event = models.CharField(max_length=50, choices=choices(Event))
    subject = models.CharField(max_length=200, blank=True)
    detail = models.TextField(blank=True)
    since = models.DateTimeField()
    told_at = models.DateTimeField(null=True)
    calm_since = models.DateTimeField(null=True)
    recovered_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["environment", "event", "subject"], condition=Q(recovered_at=None), name="alert_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.subject or self.environment}"
