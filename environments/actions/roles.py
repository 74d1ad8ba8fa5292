"""Roles: what they grant, and who has them. Nobody gives, takes or edits a grant they do not hold.

One change at a time, and each reads anew, under the lock, what its maker may: two who demote each other at once are two
who come one after the other.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import Group
from django.db import transaction

from accounts.actions import audit
from accounts.actor import Actor
from accounts.grants_table import BUILT_IN_ROLES
from accounts.models import Project, Role, User
from accounts.models import project as projects
from accounts.models import role as role_names
from accounts.problems import InvalidFields, NotFound
from environments import errors, permissions, role_grants
from environments.models import Environment
from environments.role_grants import Words

MAX_DESCRIPTION = 500


def lock_access() -> None:
    """One change of users and roles at a time. Rows that refer to the project may still be added (`no_key`)."""
    Project.objects.select_for_update(no_key=True).get(name=projects.DEFAULT)


# Roles


@transaction.atomic
def create(
    *,
    project: Project,
    name: str,
    grants: Collection[str],
    by: Actor,
    description: str = "",
    is_default: bool = False,
) -> Role:
    """A new role of the project. `grants` in words."""
    lock_access()
    by = by.anew()
    permissions.check_can_write_roles(by, project)
    _check_name(name)
    _check_description(description)
    if Role.objects.filter(project=project).named(name).exists():
        raise errors.RoleExists(f"There is a role {name} in {project.name}. Change it, or choose another name.")
    role_grants.check_known(project, grants)
    permissions.check_holds_all(by, project, grants)
    if is_default:
        _end_default(project, by)
    role = _insert(project, name, description, is_default=is_default)
    role_grants.write(role, frozenset(grants))
    _record(role, "role.create", by, after=_told(role))
    return role


@transaction.atomic
def update(
    *,
    role: Role,
    by: Actor,
    name: str | None = None,
    grants: Collection[str] | None = None,
    description: str | None = None,
    is_default: bool | None = None,
    expected: Collection[str] | None = None,
) -> Role:
    """Change what is said (None: as it is). It takes effect at the next request of everybody who has the role.

    `expected`: the grants that were seen; if others are there now, nothing changes.
    """
    lock_access()
    by, role = by.anew(), _as_it_is(role)
    permissions.check_can_write_roles(by, role.project)
    before = _told(role)
    wanted = frozenset(before["grants"]) if grants is None else frozenset(grants)
    if grants is not None:
        role_grants.check_known(role.project, wanted - set(before["grants"]))
    permissions.check_holds_all(by, role.project, wanted | set(before["grants"]))
    if expected is not None and set(expected) != set(before["grants"]):
        raise errors.RoleChanged(f"Somebody changed {role.name} meanwhile. Look at its grants, and save again.")
    if role.is_admin and wanted != set(before["grants"]):
        raise errors.RoleIsBuiltIn(
            f"{role.name} always holds every grant: one that nobody holds could never be given again. Make another "
            "role with fewer grants, and give people that one instead.",
        )
    if name is not None and name != role.name:
        _rename(role, name)
    if description is not None:
        _check_description(description)
        role.description = description
    if is_default and not role.is_default:
        _end_default(role.project, by)
    role.is_default = role.is_default if is_default is None else is_default
    role.save()
    role_grants.write(role, wanted)
    after = _told(role)
    changed = [member for member in after if before[member] != after[member]]
    if changed:
        _record(role, "role.update", by, {key: before[key] for key in changed}, {key: after[key] for key in changed})
    return role


@transaction.atomic
def delete(*, role: Role, by: Actor) -> None:
    """End a role; who had it loses what it gave."""
    lock_access()
    by, role = by.anew(), _as_it_is(role)
    permissions.check_can_write_roles(by, role.project)
    if role.built_in:
        raise errors.RoleIsBuiltIn(f"{role.name} is there in every project. Take its grants away instead.")
    before = _told(role) | {"users": sorted(User.objects.filter(groups=role.group).values_list("username", flat=True))}
    permissions.check_holds_all(by, role.project, before["grants"])
    _record(role, "role.delete", by, before=before)
    group = role.group
    role.delete()
    group.delete()


# Who has them


@transaction.atomic
def set_roles(*, user: User, project: Project, roles: Collection[Role], by: Actor) -> None:
    """Make `roles` those of the user in the project; roles in other projects are left alone."""
    lock_access()
    by = by.anew()
    permissions.check_can_write_roles(by, project)
    present = set(Role.objects.of_user(user).filter(project=project))
    _move(project, [Move(user, set(roles) - present, present - set(roles))], by)


@transaction.atomic
def change_roles(
    *, user: User, project: Project, by: Actor, give: Collection[Role] = (), take: Collection[Role] = ()
) -> None:
    """Give and take single roles: what somebody else gave or took meanwhile stays so."""
    lock_access()
    by = by.anew()
    permissions.check_can_write_roles(by, project)
    _move(project, [Move(user, set(give), set(take))], by)


@transaction.atomic
def set_members(*, role: Role, users: Collection[User], by: Actor) -> None:
    """Make `users` the active ones who have the role; who is deactivated keeps it for the day they come back."""
    lock_access()
    by, role = by.anew(), _as_it_is(role)
    permissions.check_can_write_roles(by, role.project)
    present = set(User.objects.active().filter(groups=role.group_id))
    added = [Move(user, {role}, set()) for user in set(users) - present]
    removed = [Move(user, set(), {role}) for user in present - set(users)]
    _move(role.project, [*added, *removed], by)


@dataclass(frozen=True)
class Move:
    """Roles that a user is given and loses."""

    user: User
    added: Collection[Role]
    removed: Collection[Role]


def _as_it_is(role: Role) -> Role:
    """The role as the database has it now, which is asked under the lock."""
    found = Role.objects.select_related("project", "group").filter(pk=role.pk).first()
    if found is None:
        raise NotFound(f"There is no role {role.name} any more.")
    return found


def _move(project: Project, moves: Collection[Move], by: Actor) -> None:
    """Give and take roles of the project, in as many queries for many users as for one, with an event for each.

    Of everybody who gains or loses something the maker must hold all that they have, and are given, in the project.
    """
    roles = {role.group_id: role for role in Role.objects.filter(project=project)}
    if any(role.group_id not in roles for move in moves for role in move.added):
        raise NotFound(f"There is no such role in {project.name}.")
    users = {user.pk: user for user in User.objects.filter(pk__in=[move.user.pk for move in moves])}
    held = _held(roles, users)
    changes = []
    for move in moves:
        present = held[move.user.pk]
        added = {role.group_id for role in move.added} - present
        removed = {role.group_id for role in move.removed} & present
        if added:
            _check_can_have_roles(users[move.user.pk], project)
        if added or removed:
            changes.append((users[move.user.pk], present, added, removed))
    words = role_grants.of_roles({roles[group] for _, present, added, _ in changes for group in present | added})
    permissions.check_holds_all(by, project, frozenset().union(*words.values()))
    membership = User.groups.through
    for group in {group for *_, removed in changes for group in removed}:
        losing = [user.pk for user, _, _, removed in changes if group in removed]
        membership.objects.filter(user_id__in=losing, group_id=group).delete()
    membership.objects.bulk_create(
        membership(user_id=user.pk, group_id=group) for user, _, added, _ in changes for group in added
    )
    if any(roles[group].is_admin for *_, removed in changes for group in removed):
        check_administered(project)
    for user, present, added, removed in changes:
        _record_roles(user, project, [roles[g] for g in present], [roles[g] for g in (present | added) - removed], by)


def _held(roles: Mapping[int, Role], users: Mapping[int, User]) -> dict[int, set[int]]:
    """Which of the roles' groups each of the users has."""
    held: dict[int, set[int]] = {user: set() for user in users}
    rows = User.groups.through.objects.filter(user_id__in=users, group_id__in=roles)
    for user, group in rows.values_list("user_id", "group_id"):
        held[user].add(group)
    return held


def _check_can_have_roles(user: User, project: Project) -> None:
    if user.service_of_id not in (None, project.pk):
        raise errors.ServiceAccountElsewhere(
            f"{user.username} is a service account of another project. Make one in {project.name}."
        )
    if not user.is_active:
        raise errors.UserInactive(f"{user.username} is deactivated. Activate the account first.")


def _record_roles(user: User, project: Project, before: list[Role], after: list[Role], by: Actor) -> None:
    audit.record(
        by=by,
        action="user.roles",
        object=f"user:{user.username}",
        project=project,
        before={"roles": sorted(role.name for role in before)},
        after={"roles": sorted(role.name for role in after)},
    )


def administrators(project: Project) -> Any:
    """The active people with the role `admin` of the project."""
    group = Role.objects.get(project=project, name=role_names.ADMIN).group_id
    return User.objects.active().people().filter(groups=group)


def only_administrator(role: Role) -> User | None:
    """The one person who administers, where `role` is `admin` and nobody else has it."""
    found = list(administrators(role.project)[:2]) if role.is_admin else []
    return found[0] if len(found) == 1 else None


def check_administered(project: Project) -> None:
    """Somebody who never chose a password cannot sign in, and administers nothing yet."""
    if not administrators(project).exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).exists():
        raise errors.LastAdministrator(
            f"Nobody would administer {project.name} any more. Give the role {role_names.ADMIN} to somebody else first."
        )


def give_default(*, user: User, project: Project, by: Actor) -> None:
    """The project's default role for a new user: whoever makes users gives it, but not more than they hold."""
    _move(project, [Move(user, Role.objects.filter(project=project, is_default=True), ())], by)


def named(project: Project, wanted: Sequence[str], *, field: str = "roles") -> list[Role]:
    """The roles of these names; refuses unknown ones, naming those there are."""
    found = {role.name: role for role in Role.objects.filter(project=project)}
    unknown = [name for name in wanted if name not in found]
    if unknown:
        cure = f"There is no role {unknown[0][:80]!r} in {project.name}. Known are {', '.join(found)}."
        raise InvalidFields(f"{field}: {cure}", errors={field: [cure]})
    return [found[name] for name in dict.fromkeys(wanted)]


# What is there by itself


def ensure_built_in(*, project: Project, by: Actor) -> None:
    """The built-in roles of the project, made where they are missing; `admin` gets grants that are new.

    A new project is administered by those who administer the default one.
    """
    present = {name.lower() for name in Role.objects.filter(project=project).values_list("name", flat=True)}
    for name, built_in in BUILT_IN_ROLES.items():
        if name in present:
            continue
        role = _insert(project, name, built_in.description, is_default=built_in.is_default)
        role_grants.write(role, frozenset(built_in.grants) | _of_open_environments(project, name))
    admin = Role.objects.select_related("project").get(project=project, name=role_names.ADMIN)
    missing = frozenset(BUILT_IN_ROLES[role_names.ADMIN].grants) - role_grants.of_role(admin)
    if missing:
        role_grants.write(admin, role_grants.of_role(admin) | missing)
        _record(admin, "role.update", by, after={"given": role_grants.ordered(missing)})
    if role_names.ADMIN not in present and project.name != projects.DEFAULT:
        _hand_over(project, by)


def _hand_over(project: Project, by: Actor) -> None:
    default = Project.objects.get(name=projects.DEFAULT)
    admin = Role.objects.filter(project=project, name=role_names.ADMIN)
    _move(project, [Move(user, admin, ()) for user in administrators(default)], by)


def _of_open_environments(project: Project, role: str) -> Words:
    if role != role_names.DEVELOPER:
        return frozenset()
    opened = Environment.objects.active().filter(project=project, protected=False).values_list("name", flat=True)
    return frozenset(f"environments.{name}.write" for name in opened)


def follow_protection(*, environment: Environment, by: Actor) -> None:
    """Developers may promote to every unprotected environment: give or take that as it is protected now."""
    role = Role.objects.select_related("project").filter(project=environment.project_id, name=role_names.DEVELOPER)
    developer = role.first()
    if developer is None:
        return
    word = f"environments.{environment.name}.write"
    present = role_grants.of_role(developer)
    wanted = present - {word} if environment.protected else present | {word}
    if wanted == present:
        return
    role_grants.write(developer, wanted)
    given = {"taken" if environment.protected else "given": [word]}
    _record(developer, "role.update", by, after=given | {"because": f"{environment.name} changed its protection"})


# Rows


def _insert(project: Project, name: str, description: str, *, is_default: bool) -> Role:
    group = Group.objects.create(name=f"{project.name}/{name}")
    return Role.objects.create(project=project, name=name, description=description, is_default=is_default, group=group)


def _check_name(name: str) -> None:
    if not role_names.NAME.fullmatch(name):
        cure = f"The name {name[:80]!r} cannot be used. Take {role_names.NAME_RULE}."
        raise errors.InvalidName(cure, errors={"role": [cure]})


def _check_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION:
        cure = f"At most {MAX_DESCRIPTION} characters."
        raise InvalidFields(f"description: {cure}", errors={"description": [cure]})


def _rename(role: Role, name: str) -> None:
    if role.built_in:
        raise errors.RoleIsBuiltIn(f"{role.name} is there in every project and keeps its name.")
    _check_name(name)
    if Role.objects.filter(project=role.project_id).named(name).exclude(pk=role.pk).exists():
        raise errors.RoleExists(f"There is a role {name} already. Choose another name.")
    role.name = name
    role.group.name = f"{role.project.name}/{name}"
    role.group.save()


def _end_default(project: Project, by: Actor) -> None:
    """One role at most is the default."""
    for role in Role.objects.filter(project=project, is_default=True).select_related("project"):
        permissions.check_holds_all(by, project, role_grants.of_role(role))
        role.is_default = False
        role.save(update_fields=["is_default"])
        _record(role, "role.update", by, {"is_default": True}, {"is_default": False})


def _told(role: Role) -> dict[str, Any]:
    return {
        "role": role.name,
        "description": role.description,
        "is_default": role.is_default,
        "grants": role_grants.ordered(role_grants.of_role(role)),
    }


def _record(role: Role, action: str, by: Actor, before: Any = None, after: Any = None) -> None:
    object = f"role:{role.name}"
    audit.record(by=by, action=action, object=object, project=role.project, before=before, after=after)
