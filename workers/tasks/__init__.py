"""The Celery tasks, known by name to whoever sends them: `workers.<function>`."""
