from typing import ClassVar

from django.db import models

from accounts.grants_table import PROJECT_GRANTS

DEFAULT = "default"


class Project(models.Model):
    """One assistant. Everything else belongs to one project; `default` always exists."""

    name = models.SlugField(max_length=63, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]
        default_permissions = ()
        permissions: ClassVar = [(grant, grant) for grant in PROJECT_GRANTS]

    def __str__(self) -> str:
        return self.name
