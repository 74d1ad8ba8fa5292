"""Talk to the bot of an environment. What was said is kept in the session of the browser, nowhere else."""

import secrets
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from accounts.problems import NotFound, Problem
from environments import permissions
from environments.actions import promotions
from environments.api.conversations import say
from environments.api.scope import find_environment
from environments.models import Environment
from environments.pages.access import PageRequest, page
from environments.pages.commands import curl, public_url

TALKS = "talks"
KEPT = 60
LONGEST_MESSAGE = 2000


def _talk(request: PageRequest, environment: Environment) -> dict[str, Any]:
    """The conversation with this environment in this browser: `{"id", "said"}`."""
    talks = request.session.get(TALKS, {})
    kept: dict[str, Any] = talks.get(str(environment.pk)) or {"id": f"page-{secrets.token_hex(8)}", "said": []}
    return kept


def _keep(request: PageRequest, environment: Environment, kept: dict[str, Any] | None) -> None:
    talks = request.session.get(TALKS, {})
    talks.pop(str(environment.pk), None)
    if kept:
        talks[str(environment.pk)] = {**kept, "said": kept["said"][-KEPT:]}
    request.session[TALKS] = talks


def shown(answer: dict[str, Any], model: str | None) -> dict[str, Any]:
    """A bot's message as the page shows it: text, buttons, the address of an image (never loaded from elsewhere)."""
    buttons = answer.get("buttons") if isinstance(answer.get("buttons"), list) else []
    return {
        "who": "bot",
        "text": str(answer.get("text") or ""),
        "image": str(answer.get("image") or ""),
        "buttons": [
            {"title": str(button.get("title", "")), "payload": str(button.get("payload") or button.get("title", ""))}
            for button in buttons or []
            if isinstance(button, dict)
        ],
        "model": model or "",
    }


def _say(request: PageRequest, environment: Environment, message: str) -> Problem | None:
    kept = _talk(request, environment)
    try:
        answers, model = say(environment, kept["id"], message)
    except Problem as problem:
        return problem
    said = [{"who": "user", "text": message}, *(shown(answer, model) for answer in answers)]
    if not answers:
        said.append({"who": "silence", "text": "The bot said nothing.", "model": model or ""})
    _keep(request, environment, {**kept, "said": kept["said"] + said})
    return None


def _chosen(request: PageRequest, environments: list[Environment]) -> Environment:
    """The environment that is asked for, else the first."""
    name = request.POST.get("environment") or request.GET.get("environment")
    if name:
        return find_environment(request.actor, request.project, name)
    if not environments:
        raise NotFound("There is no environment to talk to. Declare one in environments.yml.")
    return environments[0]


def _back(request: PageRequest, environment: Environment) -> HttpResponse:
    return redirect(f"{reverse('talk', args=[request.project.name])}?{urlencode({'environment': environment.name})}")


@page
def talk(request: PageRequest) -> HttpResponse:
    """The chat. Without a script each message is a form that comes back to the page."""
    permissions.check_can_talk(request.actor, request.project)
    environments = list(Environment.objects.visible_to(request.actor, request.project))
    environment = _chosen(request, environments)
    message = request.POST.get("message", "").strip()[:LONGEST_MESSAGE]
    problem = _say(request, environment, message) if request.method == "POST" and message else None
    if request.method == "POST" and problem is None and not request.htmx:
        return _back(request, environment)
    address = f"{public_url(request)}/api/projects/{request.project.name}/conversations/me/messages"
    context = {
        "environment": environment,
        "environments": environments,
        "model": promotions.current_model(environment),
        "said": _talk(request, environment)["said"],
        "problem": problem,
        "unsent": message if problem else "",
        "curl": curl("POST", f"{address}?environment={environment.name}", {"message": "hi"}),
    }
    template = "talk/conversation.html" if request.htmx else "talk/talk.html"
    return render(request, template, context, status=problem.status if problem and not request.htmx else 200)


@require_POST
@page
def start_again(request: PageRequest) -> HttpResponse:
    """A new conversation with the same bot."""
    permissions.check_can_talk(request.actor, request.project)
    environment = find_environment(request.actor, request.project, request.POST.get("environment", ""))
    _keep(request, environment, None)
    return _back(request, environment)
