from typing import ClassVar, Self

from django.db import models

from accounts.actor import Actor
from accounts.models import Plain, Project, SealedField, User


class RepositoryQuerySet(models.QuerySet["Repository"]):
    def visible_to(self, actor: Actor, project: Project) -> Self:
        return self.filter(project=project) if actor.may(project, "training.read") else self.none()


class Repository(models.Model):
    """A git repository from which bundles come: `url` is https or ssh, `ref` the branch or tag that is taken unless
    another is asked for, `folder` where in the tree the Rasa project lies ("" is its root).

    The credentials are a user name with a token (https), or a private key with the host keys to expect (ssh).
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="repositories")
    name = models.CharField(max_length=63)
    url = models.CharField(max_length=500)
    ref = models.CharField(max_length=200, default="main")
    folder = models.CharField(max_length=300, blank=True)
    username = models.CharField(max_length=200, blank=True)
    sealed_token = SealedField(blank=True)
    sealed_ssh_key = SealedField(blank=True)
    known_hosts = models.TextField(blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    token = Plain("sealed_token")
    ssh_key = Plain("sealed_ssh_key")

    objects = RepositoryQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=models.Q(removed_at=None), name="repository_name_once"
            )
        ]

    def __str__(self) -> str:
        return self.name
