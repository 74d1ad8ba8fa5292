"""The Celery tasks, known by name to whoever sends them: `workers.<function>`."""

from workers.tasks import serving, storage, tending, training

__all__ = ["serving", "storage", "tending", "training"]
