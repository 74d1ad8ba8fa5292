"""Conversations that went through the control plane: found by filters, read with what the bot understood, marked as
training data, forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts.problems import BadRequest, NotFound, Problem
from environments import permissions, trackers
from environments.actions import conversations
from environments.api import chatting
from environments.api.conversation_filters import Filters, environment_of, share, summaries
from environments.api.scope import find_environment_or_retired
from environments.api.v1 import paging
from environments.models import Environment, MarkedExample, Message
from environments.pages.access import PageRequest, page, why_not
from environments.pages.answers import heard, shown
from environments.pages.commands import curl, public_url

SECTION = "conversations"
SHOWN = 50
FILTERS = ("environment", "model", "intent", "least", "most", "since", "until", "text")
# Of a long conversation the last turns are shown first.
TURNS = 100
MOST_MESSAGES = 5000
# The year 5138, beyond which no time is believed.
LATEST = 10**11


def _day(query: Mapping[str, str], name: str, later: int = 0) -> datetime | None:
    """The beginning of a day, UTC, or of one so many days later."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=later), time(), tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"{name} is a day such as 2026-01-31.") from None


def _filters(request: PageRequest) -> Filters:
    """As the form asks for them; the last day is included."""
    query = request.GET
    return Filters(
        environment=environment_of(query, request.actor, request.project),
        model=query.get("model", "").strip(),
        intent=query.get("intent", "").strip(),
        least=share(query, "least"),
        most=share(query, "most"),
        since=_day(query, "since"),
        until=_day(query, "until", later=1),
        text=query.get("text", "").strip(),
    )


@page
def conversation_list(request: PageRequest) -> HttpResponse:
    permissions.check_can_read_conversations(request.actor, request.project)
    problem: Problem | None = None
    try:
        filters, rest = _filters(request), paging.rest(request.GET.get("cursor"), "at")
    except BadRequest as bad:
        problem, filters, rest = bad, Filters(), paging.rest(None, "at")
    rows = Message.objects.visible_to(request.actor, request.project).last_of_each(filters.of(request.project))
    found = summaries(rows.filter(rest)[: SHOWN + 1])
    shown_rows = found[:SHOWN]
    context = {
        "found": shown_rows,
        "older": paging.cursor(shown_rows[-1].message, "at") if len(found) > SHOWN else "",
        "filtered": any(request.GET.get(name) for name in FILTERS),
        "environments": Environment.objects.visible_to(request.actor, request.project),
        "marked": MarkedExample.objects.visible_to(request.actor, request.project).count(),
        "recording": settings.RECORD_CONVERSATIONS,
        "problem": problem,
        "curl": curl("GET", f"{public_url(request)}/api/projects/{request.project.name}/conversations?limit=50"),
    }
    return render(request, "conversations/list.html", context, status=problem.status if problem else 200)


@dataclass
class Entry:
    """One turn as the page shows it. `message` is its row, None of what came by another way to the bot."""

    text: str
    message: Message | None
    at: datetime | None
    heard: dict[str, Any] | None = None
    answers: list[dict[str, Any]] = field(default_factory=list)
    model: str = ""
    marks: list[MarkedExample] = field(default_factory=list)

    @property
    def can_be_marked(self) -> bool:
        return self.message is not None and not self.text.startswith("/") and bool(self.text.strip())


def conversation_of(request: PageRequest, environment: str, conversation: str) -> tuple[Environment, list[Message]]:
    """The environment and what was said in the conversation, oldest first."""
    found = find_environment_or_retired(request.actor, request.project, environment)
    rows = Message.objects.in_conversation(found, conversation).select_related("model").defer("model__metadata")
    said = list(rows.prefetch_related("marks").reverse()[:MOST_MESSAGES])[::-1]
    if not said:
        raise NotFound(f"There is no conversation {conversation} with {environment}.")
    return found, said


def _entries(said: list[Message], tracker: dict[str, Any] | None) -> list[Entry]:
    """What was said in its order: the turns of the tracker, and messages that are not in it where they belong."""
    turns = trackers.turns(tracker)
    matched = trackers.match(turns, [message.text for message in said])
    by_turn = {id(turn): message for message, turn in zip(said, matched, strict=True) if turn}
    lost = [message for message, turn in zip(said, matched, strict=True) if turn is None]
    entries = []
    for turn in turns:
        message = by_turn.get(id(turn))
        while message and lost and lost[0].pk < message.pk:
            entries.append(_lost(lost.pop(0)))
        entries.append(_found(turn, message))
    return [*entries, *(_lost(message) for message in lost)]


def _found(turn: trackers.Turn, message: Message | None) -> Entry:
    at = message.at if message else None
    if turn.at and 0 < turn.at < LATEST:
        at = datetime.fromtimestamp(turn.at, UTC)
    return Entry(
        turn.text or "",
        message,
        at,
        heard(turn) if turn.text is not None else None,
        [shown(answer) for answer in turn.answers],
        message.model.name if message and message.model else "",
        list(message.marks.all()) if message else [],
    )


def _lost(message: Message) -> Entry:
    """Known from the row alone."""
    model = message.model.name if message.model else ""
    known = {
        "intent": message.intent,
        "confidence": message.confidence,
        "actions": [[name, "", None] for name in message.actions],
        "entities": [[str(one.get("entity", "")), str(one.get("value", ""))] for one in message.entities],
    }
    return Entry(
        message.text,
        message,
        message.at,
        known if message.understood_at else None,
        [],
        model,
        list(message.marks.all()),
    )


def _tracker(environment: Environment, conversation: str) -> dict[str, Any] | Problem:
    try:
        return chatting.tracker(environment, conversation, whole=True)
    except Problem as problem:
        return problem


@page
def transcript(request: PageRequest, environment: str) -> HttpResponse:
    """One conversation, whose id is in the query: it may hold anything."""
    request.section = SECTION
    permissions.check_can_read_conversations(request.actor, request.project)
    conversation = request.GET.get("id", "")
    where, said = conversation_of(request, environment, conversation)
    came = _tracker(where, conversation)
    tracker = None if isinstance(came, Problem) else came
    if tracker and any(message.understood_at is None for message in said):
        conversations.understood(messages=said, tracker=tracker)
    entries = _entries(said, tracker)
    shown_entries = entries if "all" in request.GET else entries[-TURNS:]
    address = f"{public_url(request)}/api/projects/{request.project.name}/conversations/{conversation}"
    context = {
        "environment": where,
        "conversation": conversation,
        "query": urlencode({"id": conversation}),
        "turns": shown_entries,
        "earlier": len(entries) - len(shown_entries),
        "said": said,
        "last_at": said[-1].at,
        "models": list(dict.fromkeys(entry.model for entry in entries if entry.model)),
        "intents": sorted({message.intent for message in said if message.intent}),
        "problem": came if isinstance(came, Problem) else None,
        "why": why_not(permissions.check_can_edit_conversations, request.actor, request.project),
        "curl": curl("GET", f"{address}?{urlencode({'environment': where.name})}"),
    }
    return render(request, "conversations/transcript.html", context)


@page
def delete_conversation(request: PageRequest, environment: str) -> HttpResponse:
    """Ask, then forget."""
    request.section = SECTION
    permissions.check_can_read_conversations(request.actor, request.project)
    conversation = request.GET.get("id", "")
    where, said = conversation_of(request, environment, conversation)
    if request.method == "POST":
        conversations.delete(environment=where, conversation=conversation, by=request.actor)
        messages.success(request, f"Forgot the conversation {conversation}.")
        address = reverse("conversations", args=[request.project.name])
        return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
    context = {
        "environment": where,
        "conversation": conversation,
        "query": urlencode({"id": conversation}),
        "count": len(said),
        "marks": sum(len(message.marks.all()) for message in said),
        "why": why_not(permissions.check_can_edit_conversations, request.actor, request.project),
    }
    return render(request, "conversations/delete.html", context)
