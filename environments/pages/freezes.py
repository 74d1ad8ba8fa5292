"""After a restore: what the backup says of each frozen environment, what its servers have, and the decision."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from environments import errors, permissions
from environments.actions import freezes
from environments.api.scope import find_environment, find_model
from environments.models import Environment, TrainedModel
from environments.pages.access import PageRequest, page, why_not
from environments.pages.commands import api, curl, manage
from environments.pages.promotions import LONGEST_REASON
from environments.serving.freezes import Decision, decisions
from environments.serving.reports import reports


@dataclass(frozen=True)
class Choice:
    """What one may go on with: `model` None is no model. `changes` names the servers that would load another one."""

    model: TrainedModel | None
    is_backups: bool
    changes: list[str]


@dataclass(frozen=True)
class Shown:
    """A decision with its choices, why one may not take it, empty if one may, and how a script does it."""

    decision: Decision
    choices: list[Choice]
    why: str
    command: str
    curl: str


def _choice(decision: Decision, model: TrainedModel | None) -> Choice:
    changes = sorted(name for served in decision.served if served.model != model for name in served.replicas)
    return Choice(model, model == decision.report.model, changes)


def _shown(request: PageRequest, decision: Decision) -> Shown:
    environment = decision.report.environment
    models = [decision.report.model, *(served.model for served in decision.others)]
    chosen = decision.kept or decision.report.model
    route = f"environments/{environment.name}/resume/"
    return Shown(
        decision=decision,
        choices=[_choice(decision, model) for model in dict.fromkeys(models)],
        why=why_not(permissions.check_can_promote, request.actor, environment),
        command=manage(request, "resume", environment.name, "--model", str(chosen or "-")),
        curl=curl("POST", api(request, route), {"model": chosen.name if chosen else None}),
    )


@page
def restored(request: PageRequest) -> HttpResponse:
    """The decisions that wait."""
    return _page(request)


def _page(request: PageRequest) -> HttpResponse:
    permissions.check_can_read_environments(request.actor, request.project)
    environments = Environment.objects.visible_to(request.actor, request.project)
    shown = [_shown(request, decision) for decision in decisions(reports(environments))]
    return render(request, "environments/restored.html", {"shown": shown})


@page
def resume(request: PageRequest, environment: str) -> HttpResponse:
    """Show them; a POST takes that of the environment."""
    found = find_environment(request.actor, request.project, environment)
    if request.method != "POST":
        return _page(request)
    permissions.check_can_promote(request.actor, found)
    if found.protected and request.POST.get("confirm", "").strip() != found.name:
        raise errors.Unconfirmed(f"{found.name} is protected: type its name to confirm.")
    name = request.POST.get("model", "")
    model = find_model(request.actor, request.project, name) if name else None
    reason = request.POST.get("reason", "").strip()[:LONGEST_REASON]
    freezes.resume(environment=found, model=model, by=request.actor, reason=reason)
    messages.success(request, f"{found.name} goes on with {model or 'no model'}.")
    waiting = Environment.objects.frozen().filter(project=request.project).exists()
    if waiting:
        return redirect("restored", project=request.project.name)
    return redirect("environment", project=request.project.name, environment=found.name)
