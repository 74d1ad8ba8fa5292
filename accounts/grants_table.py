"""The grants there are, written `category.action`. Pure data: models, permissions and documentation read it."""

PROJECT_GRANTS: tuple[str, ...] = (
    "environments.read",
    "environments.manage",
    "environments.*.write",
    "environments.*.force",
    "models.read",
    "models.write",
    "models.delete",
    "training.read",
    "training.write",
    "evaluations.read",
    "evaluations.write",
    "pipelines.read",
    "pipelines.write",
    "settings.read",
    "settings.write",
    "conversations.read",
    "conversations.write",
    "users.read",
    "users.write",
    "roles.read",
    "roles.write",
    "tokens.write",
    "audit.read",
)

# Held on one environment; `environments.<name>.write` in words.
ENVIRONMENT_GRANTS: tuple[str, ...] = ("write", "force")
