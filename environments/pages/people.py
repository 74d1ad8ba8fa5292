"""Users: find one, make one, say what they may do, and end what they can come in by."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib import messages
from django.db.models import Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.actions import sessions
from accounts.models import ApiToken, Role, Session, User
from accounts.problems import MissingGrant, NotFound, Problem
from environments import holders, permissions, role_grants, role_sentences
from environments.actions import lockouts
from environments.actions import roles as role_actions
from environments.actions import users as user_actions
from environments.models import Environment
from environments.pages.access import PageRequest, page, page_before, why_not
from environments.pages.commands import curl, public_url
from environments.role_grants import Words

PER_PAGE = 50
# So many are shown of those who are locked out; more of them are an attack.
LOCKOUTS = 10
A_DAY = 24 * 3600
PERSON, SERVICE = "person", "service"

# What the list can be narrowed to, besides a role.
STATES = {
    "active": ("active", Q(is_active=True)),
    "deactivated": ("deactivated", Q(is_active=False)),
    "people": ("people", Q(service_of=None)),
    "service": ("service accounts", Q(service_of__isnull=False)),
}


@dataclass(frozen=True)
class Row:
    """A user of the list, with the roles in this project."""

    user: User
    roles: list[Role]
    seen_at: datetime | None


@dataclass(frozen=True)
class Choice:
    """A role that can be given. `why` says why it can be neither given nor taken, empty where it can."""

    role: Role
    sentence: str
    checked: bool
    why: str


@dataclass(frozen=True)
class Reach:
    """What somebody may do to one environment, by which roles."""

    environment: Environment
    text: str
    roles: list[Role]


def find_user(request: PageRequest, name: str) -> User:
    permissions.check_can_read_users(request.actor)
    user: User | None = User.objects.named(name).select_related("service_of").first()
    if user is None:
        raise NotFound(f"There is no user {name[:80]}.")
    return user


# The list


def _filtered(request: PageRequest) -> QuerySet[User]:
    asked = request.GET
    rows: QuerySet[User] = User.objects.all()
    if text := asked.get("q", "").strip():
        rows = rows.filter(Q(username__icontains=text) | Q(email__icontains=text))
    if asked.get("state") in STATES:
        rows = rows.filter(STATES[asked["state"]][1])
    if role := asked.get("role"):
        rows = rows.filter(groups__role__project=request.project, groups__role__name=role)
    return rows


def _seen(rows: QuerySet[User]) -> QuerySet[User]:
    """With `used_at`, when a token of theirs was used last, and `clicked_at`, when a session of theirs was."""
    used = ApiToken.objects.filter(user=OuterRef("pk")).order_by().values("user").annotate(at=Max("last_used_at"))
    clicked = Session.objects.filter(user=OuterRef("pk")).order_by().values("user").annotate(at=Max("last_seen_at"))
    annotated: QuerySet[User] = rows.annotate(
        used_at=Subquery(used.values("at")), clicked_at=Subquery(clicked.values("at"))
    )
    return annotated


def last_seen(user: Any) -> datetime | None:
    return max((at for at in (user.last_login, user.used_at, user.clicked_at) if at), default=None)


@page
def users(request: PageRequest) -> HttpResponse:
    request.section = "access"
    if why_not(permissions.check_can_read_users, request.actor) and request.actor.may(request.project, "roles.read"):
        return redirect("roles", project=request.project.name)
    permissions.check_can_read_users(request.actor)
    rows = _seen(_filtered(request)).annotate(lower=Lower("username"))
    after = request.GET.get("after", "").lower()
    found = list(rows.filter(lower__gt=after).order_by("lower")[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    roles = holders.roles_of_users(request.project, shown)
    locked = lockouts.active(by=request.actor, limit=LOCKOUTS + 1)
    context = {
        "lockouts": locked[:LOCKOUTS],
        "more_lockouts": len(locked) > LOCKOUTS,
        "why_not_unlocked": why_not(permissions.check_can_write_users, request.actor),
        "rows": [Row(user, roles[user.pk], last_seen(user)) for user in shown],
        "after": shown[-1].username if len(found) > PER_PAGE else "",
        "total": _filtered(request).count(),
        "roles": Role.objects.filter(project=request.project).values_list("name", flat=True),
        "states": [(name, word) for name, (word, _) in STATES.items()],
        "filtered": any(request.GET.get(name) for name in ("q", "role", "state")),
        "why_not_new": why_not(permissions.check_can_write_users, request.actor),
    }
    return render(request, "access/users.html", context)


# Roles to choose from


def _choices(request: PageRequest, checked: Collection[Role], off: str, last: Collection[Role] = ()) -> list[Choice]:
    """Every role of the project. `off` says why none can be chosen; those of `last` would have no administrator."""
    words = holders.words_of_roles(request.project)
    lacking = set(permissions.missing(request.actor, request.project, frozenset().union(*words.values())))
    places = holders.places(request.project)
    return [
        Choice(
            role,
            role_sentences.sentence(of_role, places),
            role in checked,
            off or _why_not_given(role, role_grants.ordered(of_role & lacking), last),
        )
        for role, of_role in words.items()
    ]


def _why_not_given(role: Role, lacking: Sequence[str], last: Collection[Role]) -> str:
    if lacking:
        return f"It gives {lacking[0]}, which you do not hold."
    return "This is the last administrator. Give the role to somebody else first." if role in last else ""


def _chosen(request: PageRequest) -> list[Role]:
    return role_actions.named(request.project, request.POST.getlist("role"))


# A new one


@never_cache
@page
def new_user(request: PageRequest) -> HttpResponse:
    """A person is invited by a link that is shown once; a service account gets tokens on its page."""
    request.section = "access"
    permissions.check_can_write_users(request.actor)
    problem = None
    if request.method == "POST":
        try:
            return _made(request, _create(request))
        except MissingGrant:
            raise
        except Problem as refused:
            problem = refused
    return _new_user_form(request, problem)


def _new_user_form(request: PageRequest, problem: Problem | None) -> HttpResponse:
    off = why_not(permissions.check_can_write_roles, request.actor, request.project)
    default = Role.objects.filter(project=request.project, is_default=True)
    asked = Role.objects.filter(project=request.project, name__in=request.POST.getlist("role"))
    body = {"username": request.POST.get("username") or "kim", "roles": request.POST.getlist("role") or ["tester"]}
    context = {
        "problem": problem,
        "kind": request.POST.get("kind", PERSON),
        "choices": _choices(request, list(asked if request.method == "POST" else default), off),
        "off": off,
        "curl": curl("POST", f"{public_url(request)}/api/users?project={request.project.name}", body),
    }
    return render(request, "access/new_user.html", context, status=problem.status if problem else 200)


def _create(request: PageRequest) -> User:
    """Who may not say who has which role makes users with the default one."""
    may_choose = request.actor.may(request.project, "roles.write")
    return user_actions.create(
        username=request.POST.get("username", "").strip(),
        email=request.POST.get("email", "").strip(),
        is_service=request.POST.get("kind") == SERVICE,
        project=request.project,
        roles=_chosen(request) if may_choose else None,
        by=request.actor,
    )


def _made(request: PageRequest, user: User) -> HttpResponse:
    if user.service_of_id is not None:
        messages.success(request, f"{user.username} is there. Create a token for it below.")
        return redirect("user", project=request.project.name, user=user.username)
    return _link_shown(request, user, user_actions.invite(user=user, by=request.actor), "invitation")


def _link_shown(request: PageRequest, user: User, path: str, kind: str) -> HttpResponse:
    """The one time that a link is shown; it is stored nowhere."""
    days = settings.PASSWORD_RESET_TIMEOUT // A_DAY
    context = {"shown": user, "link": f"{public_url(request)}{path}", "kind": kind, "days": days}
    return render(request, "access/link.html", context)


# One user


def _last_of(user: User, roles: Collection[Role]) -> list[Role]:
    """The roles `admin` that nobody else has."""
    return [role for role in roles if role.is_admin and role_actions.only_administrator(role) == user]


def _why_not_edited(request: PageRequest, user: User) -> str:
    return why_not(permissions.check_can_edit_user, request.actor, user)


def _why_not_deactivated(request: PageRequest, user: User) -> str:
    refused = _why_not_edited(request, user)
    if refused:
        return refused
    last = _last_of(user, Role.objects.of_user(user).select_related("project"))
    if last:
        return (
            f"{user.username} is the last administrator of {last[0].project.name}. Give admin to somebody else first."
        )
    return ""


def _reaches(request: PageRequest, words: dict[Role, Words]) -> list[Reach]:
    """What the roles come to, environment by environment."""
    union = frozenset().union(*words.values())
    found = []
    for environment in Environment.objects.active().filter(project=request.project).select_related("follows"):
        name = environment.tag_name
        doors = [role for role, of_role in words.items() if role_sentences.held_on(of_role, name, "write")]
        abilities = role_sentences.abilities(union, [name])
        if ("promote", name) not in abilities:
            found.append(Reach(environment, "cannot change it", []))
        elif environment.follows:
            found.append(Reach(environment, f"changes with {name}", []))
        else:
            text = "may promote to it, and force it" if ("force", name) in abilities else "may promote to it"
            found.append(Reach(environment, text, doors))
    return found


def _why_not_roles(request: PageRequest, user: User, words: dict[Role, Words]) -> str:
    """Why the user's roles here cannot be changed at all; empty where some can."""
    refused = why_not(permissions.check_can_write_roles, request.actor, request.project)
    if refused:
        return refused
    if user.service_of is not None and user.service_of != request.project:
        return f"{user.username} is a service account of {user.service_of.name} and has roles only there."
    held = frozenset().union(*words.values())
    lacking = permissions.missing(request.actor, request.project, held)
    if lacking:
        return f"{user.username} holds {lacking[0]}, which you do not hold."
    return "" if user.is_active else f"{user.username} is deactivated. Activate the account first."


def _user_context(request: PageRequest, user: User) -> dict[str, Any]:
    every = holders.words_of_roles(request.project)
    mine = set(Role.objects.of_user(user).filter(project=request.project).values_list("pk", flat=True))
    words = {role: of_role for role, of_role in every.items() if role.pk in mine}
    off = _why_not_roles(request, user, words)
    elsewhere = Role.objects.of_user(user).exclude(project=request.project).select_related("project")
    tokens = ApiToken.objects.filter(user=user, revoked_at=None)
    users_url = f"{public_url(request)}/api/users/{quote(user.username)}"
    roles_body = [role.name for role in words]
    return {
        "shown": user,
        "seen_at": last_seen(_seen(User.objects.filter(pk=user.pk)).get()),
        "sentence": role_sentences.sentence(frozenset().union(*words.values()), holders.places(request.project)),
        "reaches": _reaches(request, words),
        "choices": _choices(request, words.keys(), off, _last_of(user, words)),
        "had": roles_body,
        "off": off,
        "elsewhere": [role for role in elsewhere if request.actor.sees(role.project)],
        "lockouts": lockouts.active(by=request.actor, user=user, limit=LOCKOUTS),
        "why_not_unlocked": why_not(permissions.check_can_write_users, request.actor),
        "tokens": list(tokens[:PER_PAGE]),
        "sessions": list(Session.objects.live().filter(user=user)[:PER_PAGE]),
        "words": role_grants.ordered(frozenset().union(*words.values())),
        "why_not_edited": _why_not_edited(request, user),
        "why_not_deactivated": _why_not_deactivated(request, user),
        "curl_roles": curl("PUT", f"{users_url}/roles?project={request.project.name}", roles_body),
        "curl_deactivate": curl("DELETE", users_url),
        "curl_token": curl("POST", f"{public_url(request)}/api/v1/tokens/", {"account": user.username, "name": "ci"}),
    }


@page
def user(request: PageRequest, user: str) -> HttpResponse:
    """Roles, what they come to, and what the user comes in by."""
    request.section = "access"
    return render(request, "access/user.html", _user_context(request, find_user(request, user)))


def _back(request: PageRequest, user: User) -> HttpResponse:
    return redirect("user", project=request.project.name, user=user.username)


@require_POST
@page
def user_roles(request: PageRequest, user: str) -> HttpResponse:
    """Give those that were ticked and take those that no longer are; what others changed meanwhile stays."""
    found = find_user(request, user)
    permissions.check_can_write_roles(request.actor, request.project)
    try:
        chosen, had = set(_chosen(request)), set(role_actions.named(request.project, request.POST.getlist("had")))
        given, taken = chosen - had, had - chosen
        role_actions.change_roles(user=found, project=request.project, give=given, take=taken, by=request.actor)
    except MissingGrant:
        raise
    except Problem as problem:
        messages.error(request, problem.detail)
    else:
        messages.success(request, f"The roles of {found.username} are saved. They count from the next click.")
    return _back(request, found)


@page
def deactivate(request: PageRequest, user: str) -> HttpResponse:
    """Asks first, and says what ends."""
    request.section = "access"
    found = find_user(request, user)
    if request.method == "POST":
        return _deactivated(request, found)
    context = {
        "shown": found,
        "why": _why_not_deactivated(request, found),
        "ends": _what_ends(found),
        "curl": curl("DELETE", f"{public_url(request)}/api/users/{quote(found.username)}"),
    }
    return render(request, "access/deactivate.html", context)


def _what_ends(user: User) -> str:
    """`2 sessions and 1 API token of ben end`; empty where there is nothing to end."""
    sessions_open = Session.objects.live().filter(user=user).count()
    tokens = ApiToken.objects.usable().filter(user=user).count()
    counted = [(count, word) for count, word in ((sessions_open, "session"), (tokens, "API token")) if count]
    if not counted:
        return ""
    told = role_sentences.listed([f"{count} {word}{'' if count == 1 else 's'}" for count, word in counted])
    return f"{told} of {user.username} {'ends' if sessions_open + tokens == 1 else 'end'}"


def _deactivated(request: PageRequest, user: User) -> HttpResponse:
    try:
        user_actions.deactivate(user=user, by=request.actor)
    except MissingGrant:
        raise
    except Problem as problem:
        messages.error(request, problem.detail)
    else:
        messages.success(request, f"{user.username} is deactivated: sessions and tokens have ended.")
    return _back(request, user)


@require_POST
@page
def activate(request: PageRequest, user: str) -> HttpResponse:
    found = find_user(request, user)
    user_actions.activate(user=found, by=request.actor)
    messages.success(request, f"{found.username} is active again. Tokens stay revoked; a reset gives a new password.")
    return _back(request, found)


@require_POST
@page
def end_sessions(request: PageRequest, user: str) -> HttpResponse:
    """Sign somebody out of one browser (`session` is the beginning of its hash), or of all."""
    found = find_user(request, user)
    permissions.check_can_edit_user(request.actor, found)
    which = Session.objects.live().filter(user=found, pk__startswith=request.POST.get("session", ""))
    ended = sessions.end(sessions=which, by=request.actor)
    messages.success(request, f"{found.username} is signed out of {ended} browser{'' if ended == 1 else 's'}.")
    return _back(request, found)


@require_POST
@page
def unlock(request: PageRequest, user: str) -> HttpResponse:
    """Let somebody try their password again, at the address that is sent, or everywhere."""
    found = find_user(request, user)
    lockouts.clear(by=request.actor, user=found, address=request.POST.get("address") or None)
    messages.success(request, f"{found.username} may try again.")
    return redirect(page_before(request, "user", request.project.name, found.username))


@require_POST
@page
def unlock_address(request: PageRequest) -> HttpResponse:
    """Let everybody at an address try again: names that are no user's are locked too."""
    address = request.POST.get("address", "")
    lockouts.clear(by=request.actor, address=address)
    messages.success(request, f"Sign-ins from {address[:64]} may be tried again.")
    return redirect("access", project=request.project.name)


@never_cache
@page
def new_link(request: PageRequest, user: str) -> HttpResponse:
    """A link to set a password by: an invitation where there is none yet, else the present one ends. Asks first."""
    request.section = "access"
    found = find_user(request, user)
    if request.method == "POST":
        return _linked(request, found)
    context = {
        "shown": found,
        "why": _why_not_edited(request, found) or why_not(user_actions.check_takes_link, found),
        "own": found == request.actor.user,
        "sessions": Session.objects.live().filter(user=found).count(),
        "last_of": _last_of(found, Role.objects.of_user(found).select_related("project")),
    }
    return render(request, "access/new_link.html", context)


def _linked(request: PageRequest, found: User) -> HttpResponse:
    try:
        if found.has_usable_password():
            return _link_shown(request, found, user_actions.reset(user=found, by=request.actor), "reset")
        return _link_shown(request, found, user_actions.invite(user=found, by=request.actor), "invitation")
    except MissingGrant:
        raise
    except Problem as problem:
        messages.error(request, problem.detail)
        return _back(request, found)
