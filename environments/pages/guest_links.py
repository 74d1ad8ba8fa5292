"""Share a bot with people who have no account: the guest link of the project, made, changed and ended from Talk."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from accounts import problems
from accounts.problems import Problem, SecretUnreadable
from environments import permissions
from environments.actions import guest_links
from environments.api.scope import find_environment
from environments.models import ChatToken, Environment
from environments.pages.access import PageRequest, page, why_not
from environments.pages.commands import curl, public_url

# Days, and how they are called. Without any the link lasts until it is ended.
LASTS = {"1": "a day", "7": "a week", "30": "30 days", "": "until it is ended"}
DEFAULT_LASTS = "7"
RAISED = (problems.MissingGrant, problems.NotFound, problems.CsrfFailed)


def _link(request: PageRequest) -> ChatToken | None:
    links = ChatToken.objects.filter(project=request.project)
    return links.select_related("environment__project", "environment__follows").first()


def _put(request: PageRequest, link: ChatToken | None) -> None:
    """As the form asks: a new link, another text for the one there is, or its end."""
    sent, now = request.POST, timezone.now()
    permissions.check_can_write_guest_link(request.actor, request.project)
    if sent.get("do") == "end":
        if link is not None:
            token = link.token
            guest_links.put(
                project=request.project, environment=link.environment, by=request.actor, token=token, expires_at=now
            )
        return
    environment = find_environment(request.actor, request.project, sent.get("environment", ""))
    lasts = sent.get("lasts", DEFAULT_LASTS)
    days = lasts if lasts in LASTS else DEFAULT_LASTS
    guest_links.put(
        project=request.project,
        environment=environment,
        by=request.actor,
        token=link.token if link and sent.get("do") == "change" else "",
        bot_name=sent.get("bot_name", "").strip()[:100],
        description=sent.get("description", "").strip()[:1000],
        expires_at=now + timedelta(days=int(days)) if days else None,
    )


@page
def share(request: PageRequest) -> HttpResponse:
    request.section = "talk"
    permissions.check_can_talk(request.actor, request.project)
    problem: Problem | None = None
    if request.method == "POST":
        try:
            _put(request, _link(request))
        except RAISED:
            raise
        except Problem as refused:
            problem = refused
    context = _context(request, problem)
    return render(request, "talk/share.html", context, status=problem.status if problem and not request.htmx else 200)


def _context(request: PageRequest, problem: Problem | None) -> dict[str, Any]:
    link = _link(request)
    is_open = link is not None and ChatToken.objects.open().filter(pk=link.pk).exists()
    api = f"{public_url(request)}/api/chatToken?project={request.project.name}"
    return {
        "link": link,
        "is_open": is_open,
        "address": _address(request, link) if link and is_open else "",
        "problem": problem,
        "environments": Environment.objects.visible_to(request.actor, request.project),
        "lasts": LASTS.items(),
        "default_lasts": DEFAULT_LASTS,
        "why": why_not(permissions.check_can_write_guest_link, request.actor, request.project),
        "curl": curl("PUT", api, {"environment": "experimental", "bot_name": "Otto", "expires": 1_800_000_000}),
    }


def _address(request: PageRequest, link: ChatToken) -> str:
    try:
        return f"{public_url(request)}{reverse('guest', args=[link.environment.name, link.token])}"
    except SecretUnreadable:
        return ""
