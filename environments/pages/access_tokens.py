"""API tokens of users and service accounts: what each is narrowed to, its last use, its end."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.actions import api_tokens
from accounts.models import ApiToken
from accounts.problems import InvalidFields, NotFound
from environments import holders, permissions
from environments.actions import api_tokens as tokens
from environments.api.scope import is_id
from environments.pages.access import OwnRequest, PageRequest, page, page_before, why_not
from environments.pages.commands import curl, public_url
from environments.pages.people import find_user

PER_PAGE = 50
# Days until a new token ends, as they are offered; none for one that does not.
LIFETIMES = {"90": 90, "30": 30, "365": 365, "": None}


@dataclass(frozen=True)
class Row:
    """A token of the list. `why` says why it cannot be revoked, empty where it can."""

    token: ApiToken
    expired: bool
    why: str


def _filtered(request: PageRequest) -> QuerySet[ApiToken]:
    rows = ApiToken.objects.filter(revoked_at=None).select_related("user")
    if text := request.GET.get("q", "").strip():
        named = Q(name__icontains=text) | Q(user__username__icontains=text) | Q(prefix__startswith=text)
        rows = rows.filter(named)
    if request.GET.get("of") == "service":
        rows = rows.filter(user__service_of__isnull=False)
    return rows


@page
def access_tokens(request: PageRequest) -> HttpResponse:
    """Those that are not revoked, the newest first."""
    request.section = "access"
    permissions.check_can_read_users(request.actor)
    before = request.GET.get("before", "")
    rows = _filtered(request)
    found = list((rows.filter(pk__lt=before) if is_id(before) else rows).order_by("-pk")[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    off = why_not(permissions.check_can_write_users, request.actor)
    uncovered = holders.uncovered(request.actor, [token.user for token in shown])
    context = {
        "rows": [_row(request, token, off, uncovered) for token in shown],
        "before": shown[-1].pk if len(found) > PER_PAGE else None,
        "total": rows.count(),
        "curl": curl("DELETE", f"{public_url(request)}/api/v1/tokens/{shown[0].pk if shown else 'ID'}/"),
        "filtered": any(request.GET.get(name) for name in ("q", "of")),
    }
    return render(request, "access/tokens.html", context)


def _row(request: PageRequest, token: ApiToken, off: str, uncovered: dict[int, str]) -> Row:
    expired = token.expires_at is not None and token.expires_at <= timezone.now()
    if token.user == request.actor.user:
        return Row(token, expired, "")
    return Row(token, expired, off or why_not_covered(token.user_id, uncovered))


def why_not_covered(user_id: int, uncovered: dict[int, str]) -> str:
    return f"Its owner holds {uncovered[user_id]}, which you do not hold." if user_id in uncovered else ""


@require_POST
@page
def revoke(request: PageRequest, token: str) -> HttpResponse:
    """End a token of somebody whose account one may edit, or an own one."""
    permissions.check_can_read_users(request.actor)
    rows = ApiToken.objects.filter(revoked_at=None).select_related("user")
    found = rows.filter(pk=token).first() if is_id(token) else None
    if found is None:
        raise NotFound(f"There is no token {token[:20]}.")
    permissions.check_can_end_token(request.actor, found)
    api_tokens.revoke(token=found, by=request.actor)
    messages.success(request, f"{found.name} of {found.user.username} is revoked: it ends now.")
    return redirect(page_before(request, "access-tokens", request.project.name))


@never_cache
@require_POST
@page
def new_token(request: PageRequest, user: str) -> HttpResponse:
    """A token of a service account; its secret is shown once."""
    request.section = "access"
    found = find_user(request, user)
    permissions.check_can_make_token_for(request.actor, found)
    members = asked_for(request)
    token, secret = tokens.create(user=found, by=request.actor, **members)
    context = {"shown": found, "token": token, "secret": secret}
    return render(request, "access/token.html", context)


def asked_for(request: PageRequest | OwnRequest) -> dict[str, Any]:
    """The members of a new token, as the form of it gives them."""
    sent = request.POST
    name, lifetime, grants = sent.get("name", "").strip(), sent.get("days", ""), sent.getlist("grant")
    if lifetime not in LIFETIMES:
        cure = "Choose one of the times that are offered."
        raise InvalidFields(cure, errors={"days": [cure]})
    permissions.check_can_give(request.actor, grants)
    days = LIFETIMES[lifetime]
    expires_at = timezone.now() + timedelta(days=days) if days else None
    return {"name": name, "grants": grants or None, "expires_at": expires_at}
