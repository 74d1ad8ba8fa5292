from datetime import timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q

from accounts.actor import Actor
from accounts.models import Plain, Project, SealedField
from environments.states import DeclaredIn, Kind, RasaXWrites, choices

# Within three of the shortest intervals that are learned.
DEFAULT_CHECK_INTERVAL = 5.0
SHORTEST_INTERVAL = 2.0
LONGEST_CHECK_INTERVAL = 30.0


class EnvironmentQuerySet(models.QuerySet["Environment"]):
    def active(self) -> Self:
        return self.filter(retired_at=None)

    def frozen(self) -> Self:
        """Those that wait for a decision after a restore."""
        return self.active().filter(follows=None).exclude(frozen_at=None)

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
    sealed_rasa_token = SealedField(blank=True)
    sealed_jwt_secret = SealedField(blank=True)
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
    # Until then the service token of the generation before is answered too.
    previous_token_until = models.DateTimeField(null=True)

    # Since when it is frozen, which a restore does to all, and of when the backup was. What follows another is frozen
    # with that one.
    frozen_at = models.DateTimeField(null=True)
    frozen_as_of = models.DateTimeField(null=True)

    # The Rasa server's `--auth-token`, and what signs end users' tokens for the chat.
    rasa_token = Plain("sealed_rasa_token")
    jwt_secret = Plain("sealed_jwt_secret")

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
    def is_frozen(self) -> bool:
        """After a restore, until somebody has decided: its servers keep what they have."""
        return self.tag_owner.frozen_at is not None

    @property
    def check_every(self) -> timedelta:
        """How often its server is asked for `/status`: its pull interval, 2 to 30 s; 5 s where it is not declared."""
        seconds = self.pull_interval or DEFAULT_CHECK_INTERVAL
        return timedelta(seconds=min(max(seconds, SHORTEST_INTERVAL), LONGEST_CHECK_INTERVAL))
