"""The Celery tasks, known by name to whoever sends them: `workers.<function>`."""

from workers.tasks import (
    audit,
    checking,
    conversations,
    evaluation,
    fetching,
    keys,
    notifying,
    pipelines,
    retention,
    serving,
    sessions,
    storage,
    tending,
    training,
)

__all__ = [
    "audit",
    "checking",
    "conversations",
    "evaluation",
    "fetching",
    "keys",
    "notifying",
    "pipelines",
    "retention",
    "serving",
    "sessions",
    "storage",
    "tending",
    "training",
]
