"""One's own account: name, password, the browsers one is signed in with, API tokens, and what one may do where."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.password_validation import password_validators_help_texts
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts.actions import api_tokens, sessions
from accounts.models import ApiToken, Project, Session
from accounts.pages import twice
from accounts.problems import InvalidFields, NotFound, Problem
from environments import holders, permissions, role_grants, role_sentences
from environments.actions import api_tokens as tokens
from environments.actions import users
from environments.api.scope import is_id
from environments.api.v1.me import grants_of, roles_of
from environments.pages.access import OwnRequest, own_page, why_not
from environments.pages.access_tokens import asked_for
from environments.pages.commands import curl, public_url

# As browsers name themselves; the first that fits, for most name others too.
BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    *(("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows")),
    *(("Mac OS X", "macOS"), ("Linux", "Linux")),
)


@dataclass(frozen=True)
class Membership:
    """What one may do in a project, in a sentence."""

    project: Project
    roles: list[str]
    sentence: str


@dataclass(frozen=True)
class Browser:
    """A session that goes on; `here` is the one of this request."""

    session: Session
    words: str
    here: bool


def browser_words(agent: str) -> str:
    """`Firefox on Linux`; what is not known is shown as it named itself."""
    browser = next((word for mark, word in BROWSERS if mark in agent), "")
    system = next((word for mark, word in SYSTEMS if mark in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or agent[:40] or "A browser without a name"


def _memberships(request: OwnRequest) -> list[Membership]:
    roles = roles_of(request.actor)
    return [
        Membership(
            project,
            roles[project.pk],
            role_sentences.sentence(frozenset(grants_of(request.actor, project)), holders.places(project)),
        )
        for project in request.projects
    ]


def _browsers(request: OwnRequest) -> list[Browser]:
    here = request.session.stored_key
    found = Session.objects.live().filter(user=request.user)
    rows = [Browser(row, browser_words(row.browser), row.pk == here) for row in found]
    return sorted(rows, key=lambda row: not row.here)


def _held(request: OwnRequest) -> list[str]:
    """Every grant that one holds somewhere, to narrow a token to."""
    held = (grants_of(request.actor, project) for project in request.projects)
    return role_grants.ordered({word for words in held for word in words})


def _shown(request: OwnRequest, status: int = 200, **more: Any) -> HttpResponse:
    rows = ApiToken.objects.filter(user=request.user, revoked_at=None)
    context = {
        "memberships": _memberships(request),
        "browsers": _browsers(request),
        "tokens": rows,
        "words": _held(request),
        "why_no_token": why_not(permissions.check_can_write_own_tokens, request.actor),
        "rules": password_validators_help_texts(),
        "name": request.user.username,
        **more,
    }
    return render(request, "account/account.html", context, status=status)


@own_page
def account(request: OwnRequest) -> HttpResponse:
    return _shown(request)


@require_POST
@own_page
def rename(request: OwnRequest) -> HttpResponse:
    name = request.POST.get("username", "").strip()
    try:
        users.rename(user=request.user, username=name, by=request.actor)
    except Problem as refused:
        return _shown(request, refused.status, name=name, name_error=refused.detail)
    messages.success(request, f"You are {name} now, and sign in by that name.")
    return redirect("account")


@sensitive_post_parameters()
@require_POST
@own_page
def change_password(request: OwnRequest) -> HttpResponse:
    """This browser goes on under a new session key, all others must sign in."""
    try:
        new = twice(request)
        user = users.change_password(user=request.user, old=request.POST.get("old", ""), new=new, by=request.actor)
    except InvalidFields as refused:
        return _shown(request, refused.status, errors=refused.errors)
    update_session_auth_hash(request, user)
    messages.success(request, "The password is changed. Every other browser is signed out.")
    return redirect("account")


@require_POST
@own_page
def end_sessions(request: OwnRequest) -> HttpResponse:
    """The one that is named, or all but this one."""
    others = Session.objects.live().filter(user=request.user).exclude(pk=request.session.stored_key)
    key = request.POST.get("session")
    chosen = others.filter(pk=key) if key else others
    ended = sessions.end(sessions=chosen.select_related("user"), by=request.actor)
    messages.success(request, f"Signed out: {ended} {'browser' if ended == 1 else 'browsers'}.")
    return redirect("account")


@require_POST
@own_page
def new_token(request: OwnRequest) -> HttpResponse:
    """A token of one's own; its secret is shown once."""
    permissions.check_can_write_own_tokens(request.actor)
    members = asked_for(request)
    token, secret = tokens.create(user=request.user, by=request.actor, **members)
    routes = f"{public_url(request)}/api/v1"
    body = {"name": token.name, "grants": token.grants, "expires_at": token.expires_at and token.expires_at.isoformat()}
    context = {
        "token": token,
        "secret": secret,
        "command": curl("GET", f"{routes}/me/"),
        "curl": curl("POST", f"{routes}/tokens/", {name: value for name, value in body.items() if value}),
    }
    return render(request, "account/token.html", context)


@require_POST
@own_page
def revoke_token(request: OwnRequest, token: str) -> HttpResponse:
    own = ApiToken.objects.filter(user=request.user, revoked_at=None).select_related("user")
    found = own.filter(pk=token).first() if is_id(token) else None
    if found is None:
        raise NotFound(f"You have no token {token[:20]}.")
    api_tokens.revoke(token=found, by=request.actor)
    messages.success(request, f"{found.name} is revoked: it ends now.")
    return redirect("account")
