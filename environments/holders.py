"""Who holds what in a project: roles with their grants, who has them, and who may change what an environment serves.

As many queries for 10,000 users as for three. The rules are those of `permissions`, asked of everybody at once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from accounts.actor import Actor
from accounts.models import ApiToken, Project, Role, Session, User
from environments import permissions, role_grants
from environments.models import Environment
from environments.role_grants import Words
from environments.role_sentences import MANAGE, READ, Holder, Place, held_on
from environments.states import DeclaredIn

ROLES_WRITE = "roles.write"


def places(project: Project) -> list[Place]:
    """The environments that own a tag, in their order."""
    rows = Environment.objects.active().filter(project=project, follows=None)
    return [Place(row.name, row.protected, row.declared_in == DeclaredIn.API) for row in rows]


def words_of_roles(project: Project) -> dict[Role, Words]:
    """All roles of the project and their grants."""
    roles = list(Role.objects.filter(project=project).select_related("project"))
    words = role_grants.of_roles(roles)
    return {role: words[role.pk] for role in roles}


def with_users(roles: QuerySet[Role]) -> QuerySet[Role]:
    """Each with `users`, the number of those who have it and are active."""
    counted: QuerySet[Role] = roles.annotate(users=Count("group__user", filter=Q(group__user__is_active=True)))
    return counted


def _memberships(groups: Collection[int], users: Any) -> dict[int, frozenset[int]]:
    """Which of the groups each of the users is in."""
    found: dict[int, set[int]] = defaultdict(set)
    rows = User.groups.through.objects.filter(group__in=groups, user__in=users)
    for user, group in rows.values_list("user_id", "group_id"):
        found[user].add(group)
    return {user: frozenset(of_user) for user, of_user in found.items()}


def roles_of_users(project: Project, users: Sequence[User]) -> dict[int, list[Role]]:
    """The roles in the project of each of the users, by their id."""
    roles = {role.group_id: role for role in Role.objects.filter(project=project)}
    groups = _memberships(roles.keys(), [user.pk for user in users])
    return {
        user.pk: [role for group, role in roles.items() if group in groups.get(user.pk, frozenset())] for user in users
    }


def _narrowings(users: Any) -> dict[int, list[Words | None]]:
    found: dict[int, list[Words | None]] = defaultdict(list)
    for user, grants in ApiToken.objects.usable().filter(user__in=users).values_list("user_id", "grants"):
        found[user].append(None if grants is None else frozenset(grants))
    return found


def of_role(role: Role) -> list[Holder]:
    """The active ones who have the role, each with what their other roles in the project give."""
    words = {other.group_id: of_other for other, of_other in words_of_roles(role.project).items() if other != role}
    users = User.objects.active().filter(groups=role.group_id)
    ids = users.values("pk")
    groups, narrowed = _memberships(words.keys(), ids), _narrowings(ids)
    unions: dict[frozenset[int], Words] = {}
    holders = []
    for user in users.order_by("username"):
        mine = groups.get(user.pk, frozenset())
        if mine not in unions:
            unions[mine] = frozenset().union(*(words[group] for group in mine))
        holders.append(Holder(user.username, user.service_of_id is not None, unions[mine], tuple(narrowed[user.pk])))
    return holders


# Who may change what an environment serves


@dataclass(frozen=True)
class Door:
    """By which grant a role opens it."""

    role: Role
    grants: list[str]


@dataclass(frozen=True)
class Changer:
    """Somebody who may change what the environment serves, by what they have and through what they come.

    `tokens`: those of their API tokens that are not narrowed away from it; `sessions`: browsers signed in now.
    """

    user: User
    doors: list[Door]
    tokens: list[ApiToken]
    sessions: int


def _opening(words: Words, owner: Environment) -> list[str]:
    """The grants among the words by which the environment can be changed."""
    found = [word for word in (f"environments.{owner.name}.write", "environments.*.write") if word in words]
    return found + ([MANAGE] if MANAGE in words and owner.declared_in == DeclaredIn.API else [])


def doors(owner: Environment, words: dict[Role, Words]) -> list[Door]:
    """The roles that open the environment, and by what."""
    found = [Door(role, _opening(of_role, owner)) for role, of_role in words.items()]
    return [door for door in found if door.grants]


def changers(owner: Environment, words: dict[Role, Words]) -> QuerySet[User]:
    """The active users who may change what `owner` serves. Who promotes must see environments, by whichever role."""
    seeing = [role.group_id for role, of_role in words.items() if READ in of_role]
    writing = [role.group_id for role, of_role in words.items() if held_on(of_role, owner.name, "write")]
    managing = [role.group_id for role, of_role in words.items() if MANAGE in _opening(of_role, owner)]
    promotes = Q(pk__in=_in(writing)) & Q(pk__in=_in(seeing))
    found: QuerySet[User] = User.objects.active().filter(promotes | Q(pk__in=_in(managing)))
    return found


def _in(groups: Collection[int]) -> Any:
    return User.groups.through.objects.filter(group__in=groups).values("user_id")


def told(users: Sequence[User], owner: Environment, words: dict[Role, Words]) -> list[Changer]:
    """Through which roles and credentials each of these changers comes."""
    opened = {door.role.group_id: door for door in doors(owner, words)}
    groups = _memberships(opened.keys(), [user.pk for user in users])
    tokens: dict[int, list[ApiToken]] = defaultdict(list)
    for token in ApiToken.objects.usable().filter(user__in=[user.pk for user in users]):
        if opens(token, owner):
            tokens[token.user_id].append(token)
    rows = Session.objects.live().filter(user__in=[user.pk for user in users]).order_by()
    sessions = dict(rows.values_list("user").annotate(Count("pk")))
    return [
        Changer(
            user,
            [door for group, door in opened.items() if group in groups.get(user.pk, frozenset())],
            tokens[user.pk],
            sessions.get(user.pk, 0),
        )
        for user in users
    ]


def opens(token: ApiToken, owner: Environment) -> bool:
    """Whether a token reaches the environment: it is not narrowed, or not away from it."""
    if token.grants is None:
        return True
    words = frozenset(token.grants)
    promotes = READ in words and held_on(words, owner.name, "write")
    return promotes or (MANAGE in words and owner.declared_in == DeclaredIn.API)


# Whom to ask


def who_can_give(project: Project, word: str, count: int) -> list[User]:
    """Some of those people who hold the grant and may give roles: whom to ask for it."""
    words = words_of_roles(project)
    giving = [role.group_id for role, of_role in words.items() if ROLES_WRITE in of_role]
    holding = [role.group_id for role, of_role in words.items() if _holds(of_role, word)]
    people = User.objects.active().people().filter(pk__in=_in(giving)).filter(pk__in=_in(holding))
    return list(people.order_by("username")[:count])


def _holds(words: Words, word: str) -> bool:
    category, _, rest = word.partition(".")
    name, _, action = rest.partition(".")
    return word in words or bool(action and category == "environments" and held_on(words, name, action))


# Whom somebody may edit


def uncovered(actor: Actor, users: Iterable[User]) -> dict[int, str]:
    """For those of the users who hold, in any project, what the actor does not: the first such grant, by their id."""
    ids = [user.pk for user in users]
    rows = Role.objects.filter(group__user__in=ids).select_related("project").distinct()
    roles = {role.group_id: role for role in rows}
    words = role_grants.of_roles(roles.values())
    lacking = _lacking(actor, roles, words)
    found = {}
    for user, groups in _memberships(roles.keys(), ids).items():
        first = next((lacking[group] for group in sorted(groups) if group in lacking), None)
        if first:
            found[user] = first
    return found


def _lacking(actor: Actor, roles: dict[int, Role], words: dict[int, Words]) -> dict[int, str]:
    """The first grant of each role that the actor does not hold, by its group; a query for each project."""
    by_project: dict[Project, set[str]] = defaultdict(set)
    for role in roles.values():
        by_project[role.project] |= words[role.pk]
    lacking = {project: permissions.missing(actor, project, of_project) for project, of_project in by_project.items()}
    found = {}
    for group, role in roles.items():
        missing = [word for word in lacking[role.project] if word in words[role.pk]]
        if missing:
            found[group] = missing[0]
    return found
