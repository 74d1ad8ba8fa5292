"""The audit trail: who did what, newest first, each event a sentence with links to what it names."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.models import AuditEvent, Role, User
from accounts.problems import BadRequest, Problem
from environments import permissions
from environments.api.audit_filters import Filters
from environments.api.v1 import paging
from environments.models import Environment, Pipeline, TrainedModel
from environments.pages.access import PageRequest, page
from environments.pages.audit_sentences import SENTENCES, Part, sentence

SHOWN = 50
KINDS = sorted({action.partition(".")[0] for action in SENTENCES})
FILTERS = ("actor", "kind", "object", "since", "until")

Links = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Entry:
    """One event as the page shows it: `parts` are the pieces of its sentence, each with its address or none."""

    event: AuditEvent
    parts: list[tuple[Part, str]]
    before: str = field(default="")
    after: str = field(default="")


def _day(query: Mapping[str, str], name: str, later: int = 0) -> datetime | None:
    """The beginning of a day, UTC, or of one so many days later."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=later), time(), tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"{name} is a day such as 2026-01-31.") from None


def _filters(query: Mapping[str, str]) -> Filters:
    """As the form asks for them: a kind of action, and days, the last one included."""
    kind = query.get("kind", "")
    return Filters(
        actor=query.get("actor", "").strip(),
        action=f"{kind}." if kind in KINDS else "",
        object=query.get("object", "").strip(),
        since=_day(query, "since"),
        until=_day(query, "until", later=1),
    )


def _links(request: PageRequest, events: list[AuditEvent], sentences: list[list[Part]]) -> Links:
    """The pages of what is named, as far as it is still there and may be seen: a query for each kind."""
    project = request.project.name
    named = {(part.kind, part.name) for parts in sentences for part in parts if part.name}
    kinds = ("environment", "model", "user", "role")
    wanted = {kind: {name for other, name in named if other == kind} for kind in kinds}
    links = {}
    environments = Environment.objects.visible_to(request.actor, request.project)
    for name in environments.filter(name__in=wanted["environment"]).values_list("name", flat=True):
        links["environment", name] = reverse("environment", args=[project, name])
    models = TrainedModel.objects.visible_to(request.actor, request.project)
    for name in models.filter(name__in=wanted["model"]).values_list("name", flat=True):
        links["model", name] = reverse("model", args=[project, name])
    if permissions.can_read_users(request.actor):
        users = User.objects.filter(username__in=wanted["user"]).values_list("username", flat=True)
        links |= {("user", name): reverse("user", args=[project, name]) for name in users}
    if request.actor.may(request.project, "roles.read"):
        roles = Role.objects.filter(project=request.project, name__in=wanted["role"]).values_list("name", flat=True)
        links |= {("role", name): reverse("role", args=[project, name]) for name in roles}
    if request.actor.may(request.project, "pipelines.read"):
        pipelines = Pipeline.objects.visible_to(request.actor, request.project)
        rows = pipelines.filter(name__in={name for kind, name in named if kind == "pipeline"})
        names = rows.values_list("name", flat=True)
        links |= {("pipeline", name): reverse("pipeline", args=[project, name]) for name in names}
    if request.actor.may(request.project, "environments.read"):
        promotions = {name for kind, name in named if kind == "promotion" and name.isdecimal()}
        links |= {("promotion", name): reverse("promotion", args=[project, name]) for name in promotions}
    return links


def _text(value: object) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def _entries(request: PageRequest, events: list[AuditEvent]) -> list[Entry]:
    sentences = [sentence(event) for event in events]
    links = _links(request, events, sentences)
    return [
        Entry(
            event,
            [(part, links.get((part.kind, part.name), "")) for part in parts],
            _text(event.before),
            _text(event.after),
        )
        for event, parts in zip(events, sentences, strict=True)
    ]


@page
def audit(request: PageRequest) -> HttpResponse:
    permissions.check_can_read_audit(request.actor, request.project)
    problem: Problem | None = None
    try:
        filters = _filters(request.GET)
        rest = paging.rest(request.GET.get("cursor"), "at")
    except BadRequest as bad:
        problem, filters, rest = bad, Filters(), paging.rest(None, "at")
    rows = filters.of(request.project).filter(rest).order_by("-at", "-pk")
    found = list(rows[: SHOWN + 1])
    shown = found[:SHOWN]
    export = reverse("audit-events") + "?" + urlencode({"project": request.project.name, **filters.told()})
    context = {
        "told": _entries(request, shown),
        "older": paging.cursor(shown[-1], "at") if len(found) > SHOWN else "",
        "filtered": any(request.GET.get(name) for name in FILTERS),
        "kinds": KINDS,
        "export": export,
        "problem": problem,
    }
    return render(request, "audit/audit.html", context, status=problem.status if problem else 200)
