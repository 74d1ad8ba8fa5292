import re
from typing import ClassVar, Self

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from accounts.grants_table import BUILT_IN_ROLES
from accounts.models.project import Project
from accounts.models.user import User

ADMIN, DEVELOPER = "admin", "developer"
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,61}[A-Za-z0-9._-])?", re.ASCII)
NAME_RULE = "up to 63 letters, digits, spaces, '.', '_' and '-', beginning with a letter or digit"


class RoleQuerySet(models.QuerySet["Role"]):
    def of_user(self, user: User) -> Self:
        return self.filter(group__user=user)

    def named(self, name: str) -> Self:
        """The role of this name, whatever the case."""
        return self.alias(lower_name=Lower("name")).filter(lower_name=name.lower())


class Role(models.Model):
    """What a group of users may do in one project. Its grants are the object permissions of its `group`.

    `is_default`: new users get it. Nothing is granted to users but through their roles.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="roles")
    name = models.CharField(max_length=63)
    description = models.CharField(max_length=500, blank=True)
    is_default = models.BooleanField(default=False)
    group = models.OneToOneField(Group, on_delete=models.PROTECT, related_name="role")

    objects = RoleQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint("project", Lower("name"), name="role_name_once_whatever_the_case"),
            models.UniqueConstraint(fields=["project"], condition=Q(is_default=True), name="role_one_default"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def built_in(self) -> bool:
        """There in every project; it can be edited, but neither renamed nor deleted."""
        return self.name in BUILT_IN_ROLES

    @property
    def is_admin(self) -> bool:
        """Holds everything, always: a grant that nobody holds could never be given again."""
        return self.name == ADMIN
