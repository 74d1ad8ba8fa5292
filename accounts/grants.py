"""What one user holds, read once per request: two queries, then none."""

from collections import defaultdict
from dataclasses import dataclass

from guardian.models import GroupObjectPermission, UserObjectPermission

from accounts.models import Project, User

Held = dict[tuple[str, str], frozenset[str]]


@dataclass(frozen=True)
class Grants:
    """`everything` for the administrator; else `held[(model, pk)]` are the codenames given on that object."""

    everything: bool
    held: Held

    def on(self, model: str, pk: object) -> frozenset[str]:
        return self.held.get((model, str(pk)), frozenset())

    def on_project(self, project: Project, grant: str) -> bool:
        """Whether a grant of `grants_table.PROJECT_GRANTS` is held on the project."""
        return self.everything or grant in self.on("project", project.pk)

    def on_environment(self, project_id: int, environment_id: int, action: str) -> bool:
        """Whether `action` (`write`, `force`) is held on the environment, directly or by the project's wildcard."""
        wildcard = f"environments.*.{action}" in self.on("project", project_id)
        return self.everything or wildcard or action in self.on("environment", environment_id)

    def touches(self, project: Project) -> bool:
        """Whether anything at all is held on the project itself: its outsiders do not learn that it exists."""
        return self.everything or bool(self.on("project", project.pk))


def of(user: User) -> Grants:
    """All grants of an active user, by object permissions given to the user or to one of the user's groups."""
    if not user.is_active:
        return Grants(everything=False, held={})
    if user.is_superuser:
        return Grants(everything=True, held={})
    held: dict[tuple[str, str], set[str]] = defaultdict(set)
    fields = ("content_type__model", "object_pk", "permission__codename")
    for rows in (
        UserObjectPermission.objects.filter(user=user),
        GroupObjectPermission.objects.filter(group__user=user),
    ):
        for model, pk, codename in rows.values_list(*fields):
            held[(model, pk)].add(codename)
    return Grants(everything=False, held={key: frozenset(names) for key, names in held.items()})
