"""Talk to the bot of an environment, or to two with the same words. What was said is kept in the session of the
browser, so that it is there after a reload; every message is kept for Conversations as well.
"""

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
from environments.api import chatting
from environments.api.chatting import Said
from environments.api.scope import find_environment
from environments.models import Environment
from environments.pages.access import PageRequest, page
from environments.pages.answers import differences, heard, shown
from environments.pages.commands import curl, public_url
from environments.states import Door

TALKS = "talks"
KEPT = 40
LONGEST_MESSAGE = 2000


def _talk(request: PageRequest, environment: Environment) -> dict[str, Any]:
    """The conversation with this environment in this browser: `{"id", "turns"}`."""
    kept: dict[str, Any] | None = request.session.get(TALKS, {}).get(str(environment.pk))
    return kept if kept and "turns" in kept else {"id": f"page-{secrets.token_hex(8)}", "turns": []}


def _keep(request: PageRequest, environment: Environment, kept: dict[str, Any] | None) -> None:
    talks = request.session.get(TALKS, {})
    talks.pop(str(environment.pk), None)
    if kept:
        talks[str(environment.pk)] = {**kept, "turns": kept["turns"][-KEPT:]}
    request.session[TALKS] = talks


def _turn(key: str, text: str, came: Said | Problem) -> dict[str, Any]:
    """What is kept of a message and what came of it. The `key` is the same for all who were told the same words."""
    if isinstance(came, Problem):
        return {"key": key, "text": text, "problem": came.detail}
    return {
        "key": key,
        "text": text,
        "answers": [shown(answer) for answer in came.answers],
        "heard": heard(came.turn) if came.turn else None,
        "model": came.model.name if came.model else "",
    }


def _say(request: PageRequest, chosen: list[Environment], message: str) -> Problem | None:
    """Say it to each of them; the problem where none of them could answer, and nothing of it is kept."""
    talks = [_talk(request, environment) for environment in chosen]
    ids = [(environment, talk["id"]) for environment, talk in zip(chosen, talks, strict=True)]
    came = chatting.say_to_each(ids, message, Door.PAGE)
    problems = [one for one in came if isinstance(one, Problem)]
    if len(problems) == len(came):
        return problems[0]
    key = secrets.token_hex(4)
    for environment, talk, one in zip(chosen, talks, came, strict=True):
        _keep(request, environment, {**talk, "turns": [*talk["turns"], _turn(key, message, one)]})
    return None


def _rows(talks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The conversation as it is read: what was said, and beside each other what each bot made of it."""
    by_key = [{turn["key"]: turn for turn in talk["turns"]} for talk in talks]
    # What only one of them was told stands before the next thing that both were.
    keys = list(dict.fromkeys(turn["key"] for turn in talks[0]["turns"]))
    for talk in talks[1:]:
        keys = _merged(keys, [turn["key"] for turn in talk["turns"]])
    rows = []
    for key in keys:
        cells = [turns.get(key) for turns in by_key]
        both = [cell for cell in cells if cell]
        compared = len(both) > 1 and not any("problem" in cell for cell in both)
        differs = differences(*both[:2]) if compared else []
        rows.append({"text": both[0]["text"], "cells": cells, "compared": compared, "differs": differs})
    return rows


def _merged(one: list[str], other: list[str]) -> list[str]:
    merged: list[str] = []
    rest = list(one)
    for key in other:
        if key in rest:
            at = rest.index(key)
            merged += rest[:at]
            rest = rest[at + 1 :]
        merged.append(key)
    return merged + rest


def _chosen(request: PageRequest, environments: list[Environment]) -> list[Environment]:
    """The environment that is asked for, else the first; and the one beside it."""
    asked = request.POST if request.method == "POST" else request.GET
    name, beside = asked.get("environment"), asked.get("beside")
    if not name and not environments:
        raise NotFound("There is no environment to talk to. Declare one in environments.yml.")
    first = find_environment(request.actor, request.project, name) if name else environments[0]
    if not beside or beside == first.name:
        return [first]
    return [first, find_environment(request.actor, request.project, beside)]


def _back(request: PageRequest, chosen: list[Environment]) -> HttpResponse:
    query = dict(zip(("environment", "beside"), (environment.name for environment in chosen), strict=False))
    return redirect(f"{reverse('talk', args=[request.project.name])}?{urlencode(query)}")


@page
def talk(request: PageRequest) -> HttpResponse:
    """The chat. Without a script each message is a form that comes back to the page."""
    permissions.check_can_talk(request.actor, request.project)
    environments = list(Environment.objects.visible_to(request.actor, request.project))
    chosen = _chosen(request, environments)
    message = request.POST.get("message", "").strip()[:LONGEST_MESSAGE]
    problem = _say(request, chosen, message) if request.method == "POST" and message else None
    if request.method == "POST" and problem is None and not request.htmx:
        return _back(request, chosen)
    models = [promotions.current_model(environment) for environment in chosen]
    context = {
        "environment": chosen[0],
        "beside": chosen[1] if len(chosen) > 1 else None,
        "panes": [{"environment": one, "model": model} for one, model in zip(chosen, models, strict=True)],
        "environments": environments,
        "rows": _rows([_talk(request, environment) for environment in chosen]),
        "problem": problem,
        "unsent": message if problem else "",
        "curl": _curl(request, chosen[0]),
    }
    template = "talk/conversation.html" if request.htmx else "talk/talk.html"
    response = render(request, template, context, status=problem.status if problem and not request.htmx else 200)
    if request.method == "POST" and problem is None:
        response.headers["HX-Trigger-After-Settle"] = "said"
    return response


def _curl(request: PageRequest, environment: Environment) -> str:
    address = f"{public_url(request)}/api/projects/{request.project.name}/conversations/me/messages"
    return curl("POST", f"{address}?environment={environment.name}", {"message": "hi"})


@require_POST
@page
def start_again(request: PageRequest) -> HttpResponse:
    """A new conversation with the same bots."""
    permissions.check_can_talk(request.actor, request.project)
    chosen = _chosen(request, [])
    for environment in chosen:
        _keep(request, environment, None)
    return _back(request, chosen)
