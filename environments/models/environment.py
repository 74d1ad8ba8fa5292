from datetime import timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q

from accounts.actor import Actor
from accounts.models import Project
from environments import sealing
from environments.states import DeclaredIn, Kind, RasaXWrites, choices

# Within three of the shortest intervals that are learned.
DEFAULT_CHECK_INTERVAL = 5.0
SHORTEST_INTERVAL = 2.0
LONGEST_CHECK_INTERVAL = 30.0


class EnvironmentQuerySet(models.QuerySet["Environment"]):
    def active(self) -> Self:
        return self.filter(retired_at=None)

    def visible_to(self, actor: Actor, project: Project) -> Self:
        """The active environments of `project`, none if the actor may not read them."""
        if not actor.may(project, "environments.read"):
            return self.none()
        return self.active().filter(project=project).select_related("project", "follows")


class Environment(models.Model):
    """A named place where a model serves. It owns the tag of its name, or follows another environment's.

    `pull_interval` is in seconds; null means it is learned from the polls. `pulls_once`: its servers pull only at
    their start (`pull_interval: null` in environments.yml). `replicas` and `workers` are expected counts.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="environments")
    name = models.CharField(max_length=63)
    kind = models.CharField(max_length=20, choices=choices(Kind), default=Kind.SERVING)
    protected = models.BooleanField(default=False)
    color = models.CharField(max_length=7)
    order = models.PositiveIntegerField(default=0)
    url = models.CharField(max_length=500, blank=True)
    sealed_rasa_token = models.TextField(blank=True)
    sealed_jwt_secret = models.TextField(blank=True)
    follows = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="followers")
    replicas = models.PositiveIntegerField(default=1)
    workers = models.PositiveIntegerField(default=1)
    pull_interval = models.FloatField(null=True)
    pulls_once = models.BooleanField(default=False)
    rasa_x_writes = models.CharField(max_length=10, choices=choices(RasaXWrites), default=RasaXWrites.ALLOW)
    declared_in = models.CharField(max_length=10, choices=choices(DeclaredIn), default=DeclaredIn.FILE)
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)
    token_generation = models.PositiveIntegerField(default=1)
    token_rotated_at = models.DateTimeField(null=True)

    objects = EnvironmentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["order", "name"]
        default_permissions = ()
        permissions: ClassVar = [("write", "promote to it"), ("force", "promote against a refusal")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="environment_name_once"),
            models.CheckConstraint(condition=~Q(follows=F("id")), name="environment_follows_another"),
            models.CheckConstraint(condition=Q(replicas__gte=1), name="environment_expects_a_replica"),
            models.CheckConstraint(condition=Q(workers__gte=1), name="environment_has_a_worker"),
            models.CheckConstraint(
                condition=Q(pull_interval=None) | Q(pull_interval__gt=0), name="environment_interval_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def tag_owner(self) -> "Environment":
        """The environment whose tag this one pulls: itself, or the one it follows."""
        return self.follows or self

    @property
    def tag_name(self) -> str:
        return self.tag_owner.name

    @property
    def rasa_token(self) -> str:
        """The Rasa server's `--auth-token`, in the clear; never shown."""
        return sealing.unseal(self.sealed_rasa_token)

    @rasa_token.setter
    def rasa_token(self, value: str) -> None:
        self.sealed_rasa_token = sealing.reseal(self.sealed_rasa_token, value)

    @property
    def jwt_secret(self) -> str:
        return sealing.unseal(self.sealed_jwt_secret)

    @jwt_secret.setter
    def jwt_secret(self, value: str) -> None:
        self.sealed_jwt_secret = sealing.reseal(self.sealed_jwt_secret, value)

    @property
    def check_every(self) -> timedelta:
        """How often its server is asked for `/status`: its pull interval, 2 to 30 s; 5 s where it is not declared."""
        seconds = self.pull_interval or DEFAULT_CHECK_INTERVAL
        return timedelta(seconds=min(max(seconds, SHORTEST_INTERVAL), LONGEST_CHECK_INTERVAL))
