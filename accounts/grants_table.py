"""The grants there are, written `category.action`. Pure data: models, permissions and documentation read it."""

from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class BuiltIn:
    """A role of every project as it is when the project is made; `developer` gets grants on environments besides."""

    description: str
    grants: tuple[str, ...]
    is_default: bool = False


BUILT_IN_ROLES: Mapping[str, BuiltIn] = {
    "admin": BuiltIn("May do everything, in environments that come later too.", PROJECT_GRANTS),
    "developer": BuiltIn(
        "Trains and manages models, and promotes them to every environment that is not protected.",
        (
            "environments.read",
            "models.read",
            "models.write",
            "models.delete",
            "training.read",
            "training.write",
            "evaluations.read",
            "evaluations.write",
            "pipelines.read",
            "pipelines.write",
            "conversations.read",
            "conversations.write",
            "tokens.write",
        ),
    ),
    "annotator": BuiltIn(
        "Reads and annotates conversations, and talks to the bot.",
        ("environments.read", "models.read", "evaluations.read", "conversations.read", "conversations.write"),
    ),
    "tester": BuiltIn(
        "Sees what is where, and talks to the bot.",
        ("environments.read", "models.read", "conversations.write"),
        is_default=True,
    ),
}
