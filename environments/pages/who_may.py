"""The reverse of roles: everybody, and every token, that can change what one environment serves, by any door."""

from typing import Any

from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.models import Role, User
from environments import holders, permissions
from environments.actions import roles as role_actions
from environments.api.scope import find_environment
from environments.holders import Changer
from environments.models import Environment
from environments.pages.access import PageRequest, page, why_not
from environments.pages.access_tokens import why_not_covered
from environments.role_sentences import MANAGE, listed
from environments.states import DeclaredIn

PER_PAGE = 50


@page
def who_may(request: PageRequest) -> HttpResponse:
    """The environment is chosen; the first one where none is."""
    permissions.check_can_read_users(request.actor)
    permissions.check_can_read_environments(request.actor, request.project)
    request.section = "access"
    first = Environment.objects.visible_to(request.actor, request.project).first()
    chosen = request.GET.get("environment") or (first.name if first else "")
    if not chosen:
        return render(request, "access/who_may.html", {"environments": []})
    return redirect("who-may-change", project=request.project.name, environment=chosen)


@page
def who_may_change(request: PageRequest, environment: str) -> HttpResponse:
    permissions.check_can_read_users(request.actor)
    request.section = "access"
    found = find_environment(request.actor, request.project, environment)
    words = holders.words_of_roles(request.project)
    everybody = holders.changers(found.tag_owner, words).annotate(lower=Lower("username"))
    after = request.GET.get("after", "").lower()
    users = list(everybody.filter(lower__gt=after).order_by("lower")[: PER_PAGE + 1])
    shown = users[:PER_PAGE]
    context = {
        "environment": found,
        "owner": found.tag_owner,
        "environments": Environment.objects.visible_to(request.actor, request.project),
        "roles": [door.role for door in holders.doors(found.tag_owner, words)],
        "rows": _rows(request, holders.told(shown, found.tag_owner, words)),
        "after": shown[-1].username if len(users) > PER_PAGE else "",
        "total": everybody.count(),
        "notes": _notes(found),
    }
    return render(request, "access/who_may.html", context)


def _rows(request: PageRequest, changers: list[Changer]) -> list[dict[str, Any]]:
    """Each with why its roles cannot be taken and its tokens not revoked, empty where they can."""
    uncovered = holders.uncovered(request.actor, [changer.user for changer in changers])
    no_roles = why_not(permissions.check_can_write_roles, request.actor, request.project)
    no_tokens = why_not(permissions.check_can_write_users, request.actor)
    admin = Role.objects.filter(project=request.project, name="admin").select_related("project").first()
    last = role_actions.only_administrator(admin) if admin else None

    def why_not_taken(changer: Changer, role: Role) -> str:
        return no_roles or _why_not_taken(changer, role, uncovered, last)

    def why_not_revoked(changer: Changer) -> str:
        own = changer.user == request.actor.user
        return "" if own else no_tokens or why_not_covered(changer.user.pk, uncovered)

    return [
        {
            "user": changer.user,
            "doors": [(door, why_not_taken(changer, door.role)) for door in changer.doors],
            "tokens": changer.tokens,
            "sessions": changer.sessions,
            "why_not_revoked": why_not_revoked(changer),
        }
        for changer in changers
    ]


def _why_not_taken(changer: Changer, role: Role, uncovered: dict[int, str], last: User | None) -> str:
    if role.is_admin and changer.user == last:
        return "This is the last administrator. Give admin to somebody else first."
    if changer.user.pk in uncovered:
        return f"{changer.user.username} holds {uncovered[changer.user.pk]}, which you do not hold."
    return ""


def _notes(environment: Environment) -> list[str]:
    """What the list does not show, because it is no person's and no token's."""
    owner = environment.tag_owner
    notes = []
    if environment.follows:
        notes.append(f"{environment.name} follows {owner.name}: whoever may change {owner.name} changes it.")
    followers = [follower.name for follower in owner.followers.filter(retired_at=None) if follower != environment]
    if followers:
        follow, change = ("follows", "changes") if len(followers) == 1 else ("follow", "change")
        notes.append(f"{listed(followers)} {follow} {owner.name} and {change} with it.")
    if owner.declared_in == DeclaredIn.API:
        notes.append(f"It is declared through the API: {MANAGE} redefines or retires it, and is listed.")
    else:
        notes.append("It is declared in environments.yml: who edits that file on the server redefines or retires it.")
    notes.append(
        "Who has a shell on the server acts as the installation itself, with manage.py; the audit trail tells."
    )
    notes.append("Service tokens of Rasa servers only read the model; they are not listed because they change nothing.")
    return notes
