"""Roles: what each can do in a sentence, its grid of grants, what a change of it will change, and who has it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.grants_table import ENVIRONMENT_GRANTS, PROJECT_GRANTS
from accounts.models import Project, Role, User
from accounts.problems import MissingGrant, NotFound, Problem
from environments import holders, permissions, role_grants, role_sentences
from environments.actions import roles as role_actions
from environments.api.scope import find_role
from environments.models import Environment
from environments.pages.access import PageRequest, page, page_before, why_not
from environments.pages.commands import curl, public_url
from environments.role_grants import Words
from environments.role_sentences import Change, Place

MEMBERS = 50
LOCKED = "admin always holds every grant: one that nobody holds could never be given again."


@dataclass(frozen=True)
class Box:
    """A checkbox of the grid. `why` says why it is off, empty where it is not; `implied`: held by the wildcard."""

    word: str
    text: str
    checked: bool
    why: str
    implied: bool = False


@dataclass(frozen=True)
class Line:
    """A line of the grid: an environment (None: every one of them) or a category. `note` says what is special."""

    name: str
    boxes: list[Box | None]
    environment: Environment | None = None
    note: str = ""


@dataclass(frozen=True)
class Wanted:
    """What the form says."""

    name: str
    description: str
    is_default: bool
    grants: Words


def _find_role(request: PageRequest, name: str) -> Role:
    permissions.check_can_read_roles(request.actor, request.project)
    return find_role(request.project, name)


# The list


@page
def roles(request: PageRequest) -> HttpResponse:
    request.section = "access"
    permissions.check_can_read_roles(request.actor, request.project)
    places = holders.places(request.project)
    found = list(holders.with_users(Role.objects.filter(project=request.project)))
    words = role_grants.of_roles(found)
    context = {
        "rows": [(role, role_sentences.sentence(words[role.pk], places)) for role in found],
        "why_not_new": why_not(permissions.check_can_write_roles, request.actor, request.project),
    }
    return render(request, "access/roles.html", context)


# The grid


class Grid:
    """The lines of checkboxes. `off` says why all of them are off; `lacking` are those the editor does not hold."""

    def __init__(self, held: Words, checked: Words, lacking: Collection[str], off: str) -> None:
        self.held, self.checked, self.lacking, self.off = held, checked, frozenset(lacking), off

    def box(self, word: str, text: str) -> Box:
        why = self.off or (f"You do not hold {word}, so you cannot give it." if word in self.lacking else "")
        wildcard = f"environments.*.{word.rpartition('.')[2]}"
        implied = role_grants.is_on_environment(word) and wildcard in self.checked
        return Box(word, text, word in self.checked, why, implied)

    def line(self, name: str, note: str = "", environment: Environment | None = None) -> Line:
        texts = {"write": "promote", "force": "force"}
        boxes = [self.box(f"environments.{name}.{action}", texts[action]) for action in ENVIRONMENT_GRANTS]
        return Line(name, list(boxes), environment, note)

    def environments(self, rows: Collection[Environment]) -> list[Line]:
        """One for every environment and later ones, then each; retired ones and followers only where a grant on them
        is held, so that it can be taken away."""
        lines = [self.line("*", "later ones too")]
        for row in rows:
            note = "retired" if row.retired_at else f"follows {row.follows.name}" if row.follows else ""
            words = {f"environments.{row.name}.{action}" for action in ENVIRONMENT_GRANTS}
            if not note or words & (self.held | self.checked):
                lines.append(self.line(row.name, note, row))
        return lines

    def categories(self) -> list[Line]:
        """Columns are read, write, and what else there is."""
        lines = []
        for category in role_grants.CATEGORIES:
            actions = [word.partition(".")[2] for word in PROJECT_GRANTS if word.startswith(f"{category}.")]
            named = [action for action in actions if "*" not in action]
            more = next((action for action in named if action not in ("read", "write")), None)
            columns = [action if action in named else None for action in ("read", "write", more)]
            boxes = [self._category_box(category, action) if action else None for action in columns]
            lines.append(Line(category, boxes))
        return lines

    def _category_box(self, category: str, action: str) -> Box:
        word = f"{category}.{action}"
        return self.box(word, role_sentences.TO_DO[word])


def _environments(project: Project) -> list[Environment]:
    return list(Environment.objects.filter(project=project).select_related("follows"))


def _every_word(environments: Collection[Environment]) -> set[str]:
    named = {f"environments.{row.name}.{action}" for row in environments for action in ENVIRONMENT_GRANTS}
    return {*PROJECT_GRANTS, *named}


def _grid(request: PageRequest, role: Role | None, held: Words, checked: Words) -> dict[str, Any]:
    """The grid's lines, and why the whole form is off (empty where it is not)."""
    environments = _environments(request.project)
    lacking = permissions.missing(request.actor, request.project, _every_word(environments) | held)
    off = why_not(permissions.check_can_write_roles, request.actor, request.project)
    mine = [word for word in lacking if word in held]
    if not off and role and mine:
        off = f"{role.name} holds {mine[0]}, which you do not hold: only who holds all of its grants can change it."
    grid = Grid(held, checked, lacking, off or (LOCKED if role and role.is_admin else ""))
    return {"environments": grid.environments(environments), "categories": grid.categories(), "off": off}


# One role


def _wanted(request: PageRequest) -> Wanted:
    sent = request.POST
    return Wanted(
        name=sent.get("name", "").strip(),
        description=sent.get("description", "").strip(),
        is_default="is_default" in sent,
        grants=frozenset(sent.getlist("grant")),
    )


def _changes(role: Role, held: Words, wanted: Wanted, places: list[Place]) -> list[Change]:
    if wanted.grants == held:
        return []
    return role_sentences.changes(held, wanted.grants, holders.of_role(role), places)


def _preview(request: PageRequest, role: Role | None, held: Words, wanted: Wanted) -> dict[str, Any]:
    """What the role will be able to do, and what that changes for whom."""
    places = holders.places(request.project)
    becomes_default = wanted.is_default and not (role and role.is_default)
    others = Role.objects.filter(project=request.project, is_default=True) if becomes_default else Role.objects.none()
    return {
        "sentence": role_sentences.sentence(wanted.grants, places),
        "changes": _changes(role, held, wanted, places) if role else [],
        "same": wanted.grants == held,
        "becomes_default": becomes_default,
        "default_before": others.first(),
        "exists": role is not None,
    }


def _body(wanted: Wanted) -> dict[str, Any]:
    return {
        "role": wanted.name,
        "description": wanted.description,
        "is_default": wanted.is_default,
        "grants": role_grants.as_categories(wanted.grants),
    }


def _as_it_is(role: Role, held: Words) -> Wanted:
    return Wanted(role.name, role.description, role.is_default, held)


def _of_form(request: PageRequest, role: Role, held: Words) -> Wanted:
    """What the form says of a role: what is locked is not sent, and stays."""
    sent = _wanted(request)
    return Wanted(
        name=role.name if role.built_in else sent.name,
        description=sent.description,
        is_default=sent.is_default,
        grants=held if role.is_admin else sent.grants,
    )


def _members(request: PageRequest, role: Role) -> dict[str, Any]:
    """Those who have the role, a page of them, each with why it cannot be taken from them."""
    named = User.objects.filter(groups=role.group_id).annotate(lower=Lower("username"))
    after = request.GET.get("after", "").lower()
    rows = list(named.filter(lower__gt=after).order_by("lower")[: MEMBERS + 1])
    users = rows[:MEMBERS]
    uncovered = holders.uncovered(request.actor, users)
    off = why_not(permissions.check_can_write_roles, request.actor, request.project)
    last = role_actions.only_administrator(role)
    return {
        "members": [(user, off or _why_not_taken(user, role, uncovered, last)) for user in users],
        "members_after": users[-1].username if len(rows) > MEMBERS else "",
        "members_count": named.count(),
        "sees_users": not why_not(permissions.check_can_read_users, request.actor),
    }


def _why_not_taken(user: User, role: Role, uncovered: dict[int, str], last: User | None) -> str:
    if user == last:
        return f"{user.username} is the last administrator. Give {role.name} to somebody else first."
    if user.pk in uncovered:
        return f"{user.username} holds {uncovered[user.pk]}, which you do not hold."
    return ""


def _shown(
    request: PageRequest,
    role: Role,
    held: Words,
    wanted: Wanted,
    problem: Problem | None = None,
    *,
    previewed: bool = False,
) -> HttpResponse:
    url = f"{public_url(request)}/api/roles/{quote(role.name)}?project={request.project.name}"
    context = {
        "role": role,
        "wanted": wanted,
        "held": role_grants.ordered(held),
        "problem": problem,
        "previewed": previewed,
        "now": role_sentences.sentence(held, holders.places(request.project)),
        "curl": curl("PUT", url, _body(wanted)),
        "why_not_deleted": _why_not_deleted(request, role, held),
        "why_not_new": why_not(permissions.check_can_write_roles, request.actor, request.project),
        **_grid(request, role, held, wanted.grants),
        **_preview(request, role, held, wanted),
        **_members(request, role),
    }
    return render(request, "access/role.html", context, status=problem.status if problem else 200)


@page
def role(request: PageRequest, role: str) -> HttpResponse:
    """A role and its grid. Saving says what it changed; without a script it is asked for what it would change first."""
    request.section = "access"
    found = _find_role(request, role)
    held = role_grants.of_role(found)
    if request.method != "POST":
        return _shown(request, found, held, _as_it_is(found, held))
    permissions.check_can_write_roles(request.actor, request.project)
    wanted = _of_form(request, found, held)
    if request.POST.get("step") == "preview":
        return _shown(request, found, held, wanted, previewed=True)
    return _save(request, found, held, wanted)


def _save(request: PageRequest, role: Role, held: Words, wanted: Wanted) -> HttpResponse:
    told = _changes(role, held, wanted, holders.places(request.project))
    try:
        saved = role_actions.update(
            role=role,
            by=request.actor,
            name=wanted.name,
            description=wanted.description,
            is_default=wanted.is_default,
            grants=None if role.is_admin else wanted.grants,
            expected=request.POST.getlist("seen"),
        )
    except MissingGrant:
        raise
    except Problem as problem:
        return _shown(request, role, held, wanted, problem)
    messages.success(request, f"{saved.name} is saved.")
    for change in told:
        messages.info(request, change.text)
    return redirect("role", project=request.project.name, role=saved.name)


@require_POST
@page
def preview(request: PageRequest) -> HttpResponse:
    """What the form, as it is now, would change; `of` names the role, empty for a new one."""
    permissions.check_can_read_roles(request.actor, request.project)
    name = request.POST.get("of", "")
    found = _find_role(request, name) if name else None
    held = role_grants.of_role(found) if found else frozenset()
    wanted = _of_form(request, found, held) if found else _wanted(request)
    return render(request, "access/role_preview.html", _preview(request, found, held, wanted))


# A new one


def _copied(request: PageRequest) -> tuple[Role | None, Words]:
    """The role that a new one begins as, as far as the editor holds its grants."""
    name = request.GET.get("copy")
    if not name:
        return None, frozenset()
    role = _find_role(request, name)
    words = role_grants.of_role(role)
    return role, words - set(permissions.missing(request.actor, request.project, words))


@page
def new_role(request: PageRequest) -> HttpResponse:
    request.section = "access"
    permissions.check_can_write_roles(request.actor, request.project)
    wanted, problem = _wanted(request), None
    if request.method == "POST" and request.POST.get("step") != "preview":
        try:
            made = _create(request, wanted)
        except MissingGrant:
            raise
        except Problem as refused:
            problem = refused
        else:
            messages.success(request, f"{made.name} is there. Give it to somebody below.")
            return redirect("role", project=request.project.name, role=made.name)
    copied, words = _copied(request)
    if request.method != "POST" and copied:
        wanted = Wanted("", copied.description, False, words)
    url = f"{public_url(request)}/api/roles?project={request.project.name}"
    context = {
        "wanted": wanted,
        "copied": copied,
        "problem": problem,
        "previewed": request.method == "POST",
        "curl": curl("POST", url, _body(wanted)),
        "others": Role.objects.filter(project=request.project),
        **_grid(request, None, frozenset(), wanted.grants),
        **_preview(request, None, frozenset(), wanted),
    }
    return render(request, "access/new_role.html", context, status=problem.status if problem else 200)


def _create(request: PageRequest, wanted: Wanted) -> Role:
    return role_actions.create(
        project=request.project,
        name=wanted.name,
        description=wanted.description,
        is_default=wanted.is_default,
        grants=wanted.grants,
        by=request.actor,
    )


# Ending one


def _why_not_deleted(request: PageRequest, role: Role, held: Words) -> str:
    if role.built_in:
        return f"{role.name} is built in: take its grants away instead."
    refused = why_not(permissions.check_can_write_roles, request.actor, request.project)
    return refused or why_not(permissions.check_holds_all, request.actor, request.project, held)


@page
def delete_role(request: PageRequest, role: str) -> HttpResponse:
    """Asks first, and says who loses what."""
    request.section = "access"
    found = _find_role(request, role)
    if request.method == "POST":
        role_actions.delete(role=found, by=request.actor)
        messages.success(request, f"{found.name} was deleted.")
        url = reverse("roles", args=[request.project.name])
        return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
    held = role_grants.of_role(found)
    context = {
        "role": found,
        "why": _why_not_deleted(request, found, held),
        "changes": role_sentences.changes(held, (), holders.of_role(found), holders.places(request.project)),
        "curl": curl("DELETE", f"{public_url(request)}/api/roles/{quote(found.name)}?project={request.project.name}"),
    }
    return render(request, "access/delete_role.html", context)


# Who has it


@require_POST
@page
def members(request: PageRequest, role: str) -> HttpResponse:
    """Give the role to `add`, or take it from `remove`."""
    found = _find_role(request, role)
    permissions.check_can_write_roles(request.actor, request.project)
    adding = request.POST.get("add", "").strip()
    try:
        user = _find_user(adding or request.POST.get("remove", ""))
        moved = {"give": [found]} if adding else {"take": [found]}
        role_actions.change_roles(user=user, project=request.project, by=request.actor, **moved)
    except MissingGrant:
        raise
    except Problem as problem:
        messages.error(request, problem.detail)
    else:
        messages.success(request, f"{user.username} {'has' if adding else 'no longer has'} the role {found.name}.")
    return redirect(page_before(request, "role", request.project.name, found.name))


def _find_user(name: str) -> User:
    user: User | None = User.objects.named(name).first()
    if user is None:
        raise NotFound(f"There is no user {name[:80]}.")
    return user
