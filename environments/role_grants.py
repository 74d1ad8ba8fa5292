"""The grants of roles in words (`models.read`, `environments.production.write`), and as the rows that hold them.

Those of one environment are object permissions on it, all others and the wildcards on the project (docs/adr/0003).
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from guardian.models import GroupObjectPermission

from accounts.grants_table import ENVIRONMENT_GRANTS, PROJECT_GRANTS
from accounts.models import Project, Role
from accounts.problems import InvalidFields
from environments import names
from environments.models import Environment

Words = frozenset[str]

ENVIRONMENT_GRANT = re.compile(rf"environments\.({names.LABEL.pattern})\.({'|'.join(ENVIRONMENT_GRANTS)})", re.ASCII)
CATEGORIES = tuple(dict.fromkeys(grant.partition(".")[0] for grant in PROJECT_GRANTS))


def is_grant(word: str) -> bool:
    """Whether it is spelled like a grant; an environment in it may be one that does not exist."""
    return word in PROJECT_GRANTS or ENVIRONMENT_GRANT.fullmatch(word) is not None


def is_on_environment(word: str) -> bool:
    """Whether it is a grant on one environment alone."""
    return word not in PROJECT_GRANTS and ENVIRONMENT_GRANT.fullmatch(word) is not None


def ordered(words: Collection[str]) -> list[str]:
    """As people read them: by the table, then by environment."""
    places = {grant: place for place, grant in enumerate(PROJECT_GRANTS)}
    return sorted(words, key=lambda word: (places.get(word, len(places)), word))


def as_categories(words: Collection[str]) -> dict[str, list[str]]:
    """`{category: [actions]}`, the form of Rasa X: `{"environments": ["read", "production.write"]}`."""
    found: dict[str, list[str]] = defaultdict(list)
    for word in ordered(words):
        category, _, action = word.partition(".")
        found[category].append(action)
    return dict(found)


def from_categories(categories: Mapping[str, Sequence[str]]) -> Words:
    return frozenset(f"{category}.{action}" for category, actions in categories.items() for action in actions)


def check_known(project: Project, words: Collection[str]) -> None:
    """Refuse what is no grant, and environments that the project does not have."""
    owned = {f"environments.{name}.{action}" for name in _environments(project) for action in ENVIRONMENT_GRANTS}
    unknown = [word for word in ordered(words) if word not in PROJECT_GRANTS and word not in owned]
    if unknown:
        cure = f"Known are {', '.join(ordered([*PROJECT_GRANTS, *owned]))}."
        raise InvalidFields(f"There is no grant {unknown[0][:100]!r} in {project.name}.", errors={"grants": [cure]})


def of_roles(roles: Iterable[Role]) -> dict[int, Words]:
    """The grants of each role by its id: two queries for any number of them."""
    by_group = {role.group_id: role for role in roles}
    projects = {role.project_id for role in by_group.values()}
    called = dict(Environment.objects.filter(project__in=projects).values_list("pk", "name"))
    found: dict[int, set[str]] = {role.pk: set() for role in by_group.values()}
    rows = GroupObjectPermission.objects.filter(group__in=by_group).values_list(
        "group_id", "content_type__model", "object_pk", "permission__codename"
    )
    for group, model, pk, codename in rows:
        word = codename if model == "project" else f"environments.{called.get(int(pk))}.{codename}"
        found[by_group[group].pk].add(word)
    return {pk: frozenset(words) for pk, words in found.items()}


def of_role(role: Role) -> Words:
    return of_roles([role])[role.pk]


def write(role: Role, words: Words) -> None:
    """Make `words` the grants of the role: what is there already stays as it is."""
    present = of_role(role)
    _take(role, present - words)
    _give(role, words - present)


def _environments(project: Project) -> dict[str, int]:
    """All of a project, retired ones too: a grant on one comes back with it."""
    return dict(Environment.objects.filter(project=project).values_list("name", "pk"))


def _permissions() -> dict[tuple[str, str], Permission]:
    types = ContentType.objects.get_for_models(Project, Environment)
    rows = Permission.objects.filter(content_type__in=types.values()).select_related("content_type")
    return {(row.content_type.model, row.codename): row for row in rows}


def _objects(role: Role, words: Words) -> list[tuple[str, str, str]]:
    """(model, primary key, codename) of each word."""
    environments = _environments(role.project)
    found = []
    for word in words:
        match = ENVIRONMENT_GRANT.fullmatch(word)
        if match and word not in PROJECT_GRANTS:
            found.append(("environment", str(environments[match[1]]), match[2]))
        else:
            found.append(("project", str(role.project_id), word))
    return found


def _give(role: Role, words: Words) -> None:
    if not words:
        return
    permissions = _permissions()
    rows = [
        GroupObjectPermission(
            group_id=role.group_id,
            permission=permissions[model, codename],
            content_type_id=permissions[model, codename].content_type_id,
            object_pk=pk,
        )
        for model, pk, codename in _objects(role, words)
    ]
    GroupObjectPermission.objects.bulk_create(rows, ignore_conflicts=True)


def _take(role: Role, words: Words) -> None:
    if not words:
        return
    which = Q()
    for model, pk, codename in _objects(role, words):
        which |= Q(content_type__model=model, object_pk=pk, permission__codename=codename)
    GroupObjectPermission.objects.filter(which, group_id=role.group_id).delete()


def to_json(words: Collection[str]) -> Any:
    """For the audit trail."""
    return ordered(words)
