from django.db import models


class Slot(models.Model):
    """When a periodic step is due next. Whoever moves `due_at` on runs the step, so several clocks run it once."""

    name = models.CharField(max_length=50, unique=True)
    due_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
