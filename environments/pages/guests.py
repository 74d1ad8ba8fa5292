"""The page behind a guest link: a chat without sign-in. What was said is kept in a signed cookie of the link."""

from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from accounts.problems import NotFound, Problem
from environments.api import chatting, guests
from environments.models import ChatToken
from environments.pages.answers import shown
from environments.states import Door

COOKIE, SALT = "guest", "environments.pages.guests"
# The address holds the token, so neither headers nor forms repeat it.
HERE = "?"
# Browsers take 4 KB with the name and the path.
LONGEST_COOKIE = 3500
LONGEST_LINE = 1500


def _kept(request: HttpRequest) -> dict[str, Any]:
    """The conversation of this browser: `{"id", "said"}`."""
    try:
        kept: dict[str, Any] = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT)
    except signing.BadSignature:
        return {"id": guests.new_conversation(), "said": []}
    return kept


def _keep(response: HttpResponse, path: str, kept: dict[str, Any]) -> None:
    """As much of the conversation as a cookie holds: the oldest lines are forgotten first."""
    said = [line | {"text": line.get("text", "")[:LONGEST_LINE]} for line in kept["said"]]
    while True:
        value = signing.dumps({**kept, "said": said}, salt=SALT, compress=True)
        if len(value) <= LONGEST_COOKIE or not said:
            break
        said = said[1:]
    secure = settings.SESSION_COOKIE_SECURE
    response.set_cookie(COOKIE, value, path=path, httponly=True, secure=secure, samesite="Lax")


def _small(answer: dict[str, Any]) -> dict[str, Any]:
    """What a cookie has room for, and a guest a use for."""
    return {name: value for name, value in answer.items() if value and name in ("text", "link", "host", "buttons")}


def _say(link: ChatToken, kept: dict[str, Any], message: str) -> list[dict[str, Any]]:
    answers = chatting.say(link.environment, kept["id"], message, Door.GUEST).answers
    # What is for other programs alone, as a custom payload, is nothing to a guest.
    small = [line for answer in answers if (line := _small(shown(answer)))]
    said = [{"who": "user", "text": message}, *({"who": "bot", **line} for line in small)]
    return said if small else [*said, {"who": "silence", "text": "The bot said nothing."}]


def guest(request: Any, environment: str, token: str) -> HttpResponse:
    """The chat. Without a script each message is a form that comes back to the page."""
    link = guests.link_of(token)
    if link is None or link.environment.name != environment:
        raise NotFound("This link leads nowhere any more. Ask who gave it to you for a new one.")
    path, kept, problem = reverse("guest", args=[environment, token]), _kept(request), None
    message = request.POST.get("message", "").strip()[: guests.LONGEST_MESSAGE]
    if request.method == "POST" and "again" in request.POST:
        kept = {"id": guests.new_conversation(), "said": []}
    elif request.method == "POST" and message:
        try:
            kept = {**kept, "said": kept["said"] + _say(link, kept, message)}
        except Problem as refused:
            problem = refused
    context = {"link": link, "said": kept["said"], "problem": problem, "unsent": message if problem else ""}
    if request.method == "POST" and problem is None and not request.htmx:
        response: HttpResponse = HttpResponseRedirect(HERE)
    else:
        template = "guest/conversation.html" if request.htmx else "guest/chat.html"
        status = problem.status if problem and not request.htmx else 200
        response = render(request, template, context, status=status)
        if request.method == "POST" and problem is None:
            response.headers["HX-Trigger-After-Settle"] = "said"
    _keep(response, path, kept)
    return response
