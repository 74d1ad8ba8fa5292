"""One environment: its history, its replicas, how to connect one more server, its settings."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, Prefetch, QuerySet, Subquery
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.problems import Problem
from environments import deploying, permissions
from environments.actions import promotions
from environments.actions import service_tokens as token_actions
from environments.api.scope import find_environment
from environments.engine import looking
from environments.models import Environment, Promotion, Proof, ServerCheck, TrainedModel
from environments.pages import connect, containers, drawings, live
from environments.pages.access import PageRequest, page
from environments.pages.commands import api, curl, public_url
from environments.pages.overview import Card, cards
from environments.serving import replicas as ledger_of_replicas
from environments.serving import service_tokens, turned_away
from environments.states import Kind

ENTRIES = 20


@dataclass(frozen=True)
class Entry:
    """One line of the history. `until` is when the next one took its place; `back` says why one cannot go back to it,
    None where the button has no sense."""

    promotion: Promotion
    until: datetime | None
    proofs: list[tuple[str, float]]
    is_now: bool
    back: str | None

    @property
    def served_seconds(self) -> float | None:
        return (self.until - self.promotion.created_at).total_seconds() if self.until else None


def _why_not_back(promotion: Promotion, now: TrainedModel | None, refused: Problem | None) -> str | None:
    if promotion.model is None or promotion.model == now:
        return None
    if promotion.model.deleted_at:
        return f"{promotion.model.name} was deleted."
    return refused.detail if refused else ""


def _history_rows(owner: Environment, before: str) -> list[Any]:
    later = Promotion.objects.filter(environment=owner, pk__gt=OuterRef("pk")).order_by("pk").values("created_at")[:1]
    found: QuerySet[Promotion] = Promotion.objects.filter(environment=owner).told().annotate(until=Subquery(later))
    if before.isdecimal() and len(before) < 19:
        found = found.filter(pk__lt=before)
    proofs = Prefetch("proofs", Proof.objects.order_by("first_at"))
    return list(found.prefetch_related(proofs).order_by("-pk")[: ENTRIES + 1])


def history_context(request: PageRequest, environment: Environment) -> dict[str, Any]:
    """The timeline of what the environment was to serve, newest first (of the environment it follows, if it does)."""
    owner = environment.tag_owner
    rows = _history_rows(owner, request.GET.get("before", ""))
    now = promotions.current_model(owner)
    newest = promotions.latest(owner)
    refused = promotions.standing_refusal(environment=environment, by=request.actor)
    entries = [
        Entry(
            promotion=row,
            until=row.until,
            proofs=[(proof.replica, (proof.first_at - row.created_at).total_seconds()) for proof in row.proofs.all()],
            is_now=newest is not None and row.pk == newest.pk and row.model is not None,
            back=None if environment.follows else _why_not_back(row, now, refused),
        )
        for row in rows[:ENTRIES]
    ]
    older = rows[ENTRIES - 1].pk if len(rows) > ENTRIES else None
    return {"entries": entries, "older": older, "owner": owner}


def _card(request: PageRequest, environment: Environment) -> Card:
    return cards(request.actor, [environment])[0]


def _head(request: PageRequest, card: Card) -> live.Piece:
    context = {"card": card, "environment": card.environment, "report": card.report}
    return live.piece(request, "environment-head", "environments/head.html", context)


def _tab(request: PageRequest, card: Card, tab: str) -> live.Piece | None:
    """The tabs that change by themselves."""
    environment = card.environment
    if tab == "history":
        return live.piece(request, "history", "environments/history.html", history_context(request, environment))
    if tab == "replicas":
        context = {"card": card, "environment": environment, "report": card.report}
        return live.piece(request, "replicas", "environments/replicas.html", context)
    if tab == "connect":
        context = {"environment": environment, "report": card.report, "turned_away": turned_away.last(environment)}
        return live.piece(request, "heard", "environments/heard.html", context)
    if tab == "engine":
        return containers.piece(request, card)
    return None


def shown(request: PageRequest, environment: Environment, tab: str, template: str, context: Any) -> HttpResponse:
    """A tab of the environment's page; `context` is what its template needs on top."""
    request.section = "overview"
    card = _card(request, environment)
    members = len(card.report.members)
    tabs = [("environment", "History"), ("replicas", f"Replicas {members or ''}"), ("connect", "Connect")]
    if looking.watcher():
        tabs.append(("engine", "Engine"))
    context = {
        "environment": environment,
        "card": card,
        "report": card.report,
        "head": _head(request, card),
        "piece": _tab(request, card, tab),
        "tab": tab,
        "tabs": [*tabs, ("settings", "Settings")],
        **context,
    }
    return render(request, template, context)


@page
def history(request: PageRequest, environment: str) -> HttpResponse:
    found = find_environment(request.actor, request.project, environment)
    context = {"chart": drawings.time_to_live(request, found.tag_owner)}
    return shown(request, found, "history", "environments/history_tab.html", context)


@page
def replicas(request: PageRequest, environment: str) -> HttpResponse:
    found = find_environment(request.actor, request.project, environment)
    return shown(request, found, "replicas", "environments/environment.html", {})


@page
def changes(request: PageRequest, environment: str) -> HttpResponse:
    """What changed on one of the tabs since the browser looked."""
    card = _card(request, find_environment(request.actor, request.project, environment))
    tab = _tab(request, card, request.GET.get("tab", ""))
    return live.changes(request, [_head(request, card), *([tab] if tab else [])])


@require_POST
@page
def retry(request: PageRequest, environment: str) -> HttpResponse:
    """Let a stuck replica try the environment's model again."""
    found = find_environment(request.actor, request.project, environment)
    name = request.POST.get("replica", "")
    ledger_of_replicas.retry(environment=found, name=name, by=request.actor)
    messages.success(request, f"{name} is given the model again at its next poll.")
    return redirect("replicas", project=request.project.name, environment=found.name)


def _rotation(request: PageRequest, environment: Environment) -> str:
    url = api(request, f"environments/{environment.name}/service-token/")
    return curl("POST", url, {"grace_hours": token_actions.GRACE // timedelta(hours=1)})


@page
def connected(request: PageRequest, environment: str) -> HttpResponse:
    """How to connect one more server. The real service token is for those who manage environments."""
    found = find_environment(request.actor, request.project, environment)
    permitted = request.actor.may(request.project, "environments.manage")
    snippets = connect.snippets(found, public_url(request), show_token=permitted)
    context = {
        "snippets": snippets,
        "token_shown": permitted,
        "previous_until": service_tokens.previous_valid_until(found),
        "command": f"curl -X POST …/environments/{found.name}/service-token/",
        "curl": _rotation(request, found),
    }
    return shown(request, found, "connect", "environments/connect.html", context)


@require_POST
@page
def rotate_token(request: PageRequest, environment: str) -> HttpResponse:
    """Another service token; the present one goes on for a while, or ends now."""
    found = find_environment(request.actor, request.project, environment)
    grace = timedelta(0) if request.POST.get("at_once") else token_actions.GRACE
    rotated = token_actions.rotate(environment=found, by=request.actor, grace=grace)
    until = service_tokens.previous_valid_until(rotated)
    goes_on = f"The one before is answered until {until:%d %b %H:%M} UTC." if until else "Every older one has ended."
    messages.success(request, f"{found.name} has a new service token. {goes_on}")
    return redirect("connect", project=request.project.name, environment=found.name)


@page
def settings(request: PageRequest, environment: str) -> HttpResponse:
    found = find_environment(request.actor, request.project, environment)
    may_manage = request.actor.may(request.project, "environments.manage")
    context = {
        "server": ServerCheck.objects.filter(environment=found).first(),
        "trains": found.kind == Kind.TRAINING,
        "may_manage": may_manage,
        "deployed": deploying.texts_of(found) if may_manage else None,
        "may_promote": permissions.can_promote(request.actor, found),
    }
    return shown(request, found, "settings", "environments/settings.html", context)
