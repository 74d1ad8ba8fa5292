"""What one user holds by their roles, read once per request: one query, then none."""

from collections import defaultdict
from dataclasses import dataclass

from guardian.models import GroupObjectPermission

from accounts.models import Project, User

Held = dict[tuple[str, str], frozenset[str]]


@dataclass(frozen=True)
class Grants:
    """`everything` for the installation itself; else `held[(model, pk)]` are the codenames given on that object."""

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


NOTHING = Grants(everything=False, held={})
EVERYTHING = Grants(everything=True, held={})


def of(user: User) -> Grants:
    """All grants of an active user: the object permissions of the groups that the user's roles are."""
    if not user.is_active:
        return NOTHING
    held: dict[tuple[str, str], set[str]] = defaultdict(set)
    rows = GroupObjectPermission.objects.filter(group__user=user, group__role__isnull=False)
    for model, pk, codename in rows.values_list("content_type__model", "object_pk", "permission__codename"):
        held[(model, pk)].add(codename)
    return Grants(everything=False, held={key: frozenset(names) for key, names in held.items()})
