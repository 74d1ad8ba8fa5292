"""Promote and roll back: the dialog that says what will happen, and then what happens, replica by replica.

Each view answers a part of a page to htmx and the whole page without it.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.problems import MissingGrant, NotFound, Problem
from environments import errors, permissions
from environments.actions import promotions
from environments.api.scope import find_environment, find_model, find_promotion
from environments.models import Environment, Promotion, TrainedModel
from environments.pages import drawings, live, promotion_plan
from environments.pages.access import PageRequest, page
from environments.pages.commands import api, curl, manage
from environments.serving.reports import EnvironmentReport, report
from environments.states import Origin, ReplicaState

CHOICES = 15
HISTORY = 40
LONGEST_REASON = 2000


def _dialog(
    request: PageRequest, template: str, context: dict[str, Any], problem: Problem | None = None
) -> HttpResponse:
    status = problem.status if problem else 200
    return render(request, template, {**context, "problem": problem}, status=status)


# Promote


def _choose(request: PageRequest, environment: Environment) -> HttpResponse:
    """Which model? The newest ones that the environment has not."""
    permissions.check_can_read_models(request.actor, request.project)
    current = promotions.current_model(environment)
    visible = TrainedModel.objects.visible_to(request.actor, request.project)
    asked = request.GET.get("q", "")
    found = visible.filter(name__icontains=asked)
    if current:
        found = found.exclude(pk=current.pk)
    context = {"environment": environment, "now": current, "models": found[:CHOICES], "any": visible.exists()}
    return render(request, "promotions/choose.html", context)


def _promote_context(request: PageRequest, environment: Environment, model: TrainedModel) -> dict[str, Any]:
    now = promotions.current_model(environment)
    refused = promotions.refusal(environment=environment, model=model, by=request.actor)
    body = {"model": model.name, "expected": now.name if now else None}
    may_force = request.actor.may_on_environment(
        environment.project_id, environment.pk, environment.name, "force"
    ) and isinstance(refused, errors.Incompatible)
    return {
        "environment": environment,
        "report": report(environment),
        "now": now,
        "then": model,
        "same": now == model,
        "differs": promotion_plan.differences(now, model),
        "checks": promotion_plan.checks(environment, model, refused),
        "tested": promotion_plan.tested(request.actor, now, model),
        "usual": promotion_plan.usual_seconds(environment),
        "refused": refused,
        "may_force": may_force,
        "command": manage(request, "promote", model.name, environment.name, "--wait"),
        "curl": curl("POST", api(request, f"environments/{environment.name}/promotions/"), body),
        "reason": request.POST.get("reason", ""),
    }


def _promote(request: PageRequest, environment: Environment, model: TrainedModel) -> HttpResponse:
    permissions.check_can_promote(request.actor, environment)
    if environment.protected and request.POST.get("confirm", "").strip() != environment.name:
        unconfirmed = errors.Unconfirmed(f"{environment.name} is protected: type its name to confirm.")
        context = _promote_context(request, environment, model)
        return _dialog(request, "promotions/promote.html", context, unconfirmed)
    try:
        outcome = promotions.promote(
            environment=environment,
            model=model,
            by=request.actor,
            reason=request.POST.get("reason", "").strip()[:LONGEST_REASON],
            expected=request.POST.get("expected") or None,
            force=request.POST.get("force") == "on",
        )
    except MissingGrant:
        raise
    except Problem as problem:
        return _dialog(request, "promotions/promote.html", _promote_context(request, environment, model), problem)
    return _made(request, outcome)


def _made(request: PageRequest, outcome: promotions.Outcome) -> HttpResponse:
    promotion = outcome.promotion
    if request.htmx:
        return _progress(request, promotion)
    if not outcome.created:
        messages.info(request, f"{promotion.environment.name} has that model already; nothing was changed.")
    return redirect("promotion", project=request.project.name, promotion=promotion.pk)


@page
def promote(request: PageRequest, environment: str) -> HttpResponse:
    """The promote dialog. `model` names what is to be served; without it, it is asked for."""
    found = find_environment(request.actor, request.project, environment)
    name = request.POST.get("model") or request.GET.get("model")
    if not name:
        return _choose(request, found)
    model = find_model(request.actor, request.project, name)
    if request.method == "POST":
        return _promote(request, found, model)
    return _dialog(request, "promotions/promote.html", _promote_context(request, found, model))


# Roll back


def _target(request: PageRequest, environment: Environment, to: str | None) -> Promotion:
    if not to:
        return promotions.rollback_target(environment)
    target = find_promotion(request.actor, request.project, to)
    if target.environment_id != environment.pk or target.model is None:
        raise NotFound(f"{environment.name} cannot go back to promotion {to}.")
    return target


def _rollback_context(request: PageRequest, environment: Environment, to: str | None) -> dict[str, Any]:
    target = _target(request, environment, to)
    now, then = promotions.current_model(environment), target.model
    body: dict[str, Any] = {"expected": now.name if now else None} | ({"to": to} if to else {})
    may_read = request.actor.may(request.project, "models.read")
    gone = errors.ModelGone(f"{then} was deleted. Choose an older promotion.") if then and then.deleted_at else None
    refused = promotions.refusal(environment=environment, model=then, by=request.actor) or gone
    return {
        "environment": environment,
        "report": report(environment),
        "now": now,
        "then": then,
        "to": to or "",
        "target": target,
        "differs": promotion_plan.differences(now, then) if then and may_read else None,
        "tested": promotion_plan.tested(request.actor, now, then),
        "usual": promotion_plan.usual_seconds(environment),
        "same": now == then,
        "refused": refused,
        "command": manage(request, "rollback", environment.name, *(("--to", to) if to else ()), "--wait"),
        "curl": curl("POST", api(request, f"environments/{environment.name}/rollback/"), body),
        "reason": request.POST.get("reason", ""),
    }


@page
def rollback(request: PageRequest, environment: str) -> HttpResponse:
    """The rollback dialog: it never asks to type, and the reason may follow later."""
    found = find_environment(request.actor, request.project, environment)
    to = request.POST.get("to") or request.GET.get("to")
    if request.method != "POST":
        return _dialog(request, "promotions/rollback.html", _rollback_context(request, found, to))
    permissions.check_can_promote(request.actor, found)
    try:
        outcome = promotions.rollback(
            environment=found,
            by=request.actor,
            to=_target(request, found, to) if to else None,
            reason=request.POST.get("reason", "").strip()[:LONGEST_REASON],
            expected=request.POST.get("expected") or None,
        )
    except errors.StalePromotion as problem:
        return _dialog(request, "promotions/rollback.html", _rollback_context(request, found, to), problem)
    return _made(request, outcome)


# What became of it


@dataclass(frozen=True)
class Member:
    """A replica as the progress shows it: `seconds` until it proved the promoted model; `had_it` where it had proved
    that model before, and nothing was to be loaded; `still` is the other model that it goes on serving."""

    name: str
    state: str
    seconds: float | None
    reason: str
    had_it: bool = False
    still: str = ""


def members(promotion: Promotion, seen: EnvironmentReport) -> list[Member]:
    """The replicas of the environment, those that proved this promotion first, in the order in which they did."""
    took = {
        proof.replica: (proof.first_at - promotion.created_at).total_seconds()
        for proof in promotion.proofs.order_by("first_at")
    }
    proved = [Member(name, "serving", max(seconds, 0.0), "") for name, seconds in took.items()]
    present = seen.promotion is not None and seen.promotion.pk == promotion.pk
    others = [
        Member(
            name=member.name,
            state=member.state,
            seconds=None,
            reason=member.reason,
            had_it=member.proved,
            still=member.model or "" if member.state == ReplicaState.SERVING else "",
        )
        for member in seen.members
        if present and member.name not in took
    ]
    return proved + others


def _progress_piece(request: PageRequest, promotion: Promotion) -> live.Piece:
    environment = promotion.environment
    seen = report(environment)
    shown = members(promotion, seen)
    done = sum(member.seconds is not None or member.had_it for member in shown)
    context = {
        "promotion": promotion,
        "environment": environment,
        "report": seen,
        "members": shown,
        "done": done,
        "expected": max(environment.replicas, done),
        "missing": max(environment.replicas - len(shown), 0) if promotion.status == "rolling_out" else 0,
        "is_latest": seen.promotion is not None and seen.promotion.pk == promotion.pk,
        "may_promote": permissions.can_promote(request.actor, environment),
    }
    return live.piece(request, "progress", "promotions/progress.html", context)


def _progress(request: PageRequest, promotion: Promotion) -> HttpResponse:
    context = {
        "promotion": promotion,
        "environment": promotion.environment,
        "progress": _progress_piece(request, promotion),
        "rolled_back": promotion.origin == Origin.ROLLBACK,
        "mine": promotion.by_id == request.actor.user.pk if request.actor.user else False,
    }
    return render(request, "promotions/promotion.html", context)


@page
def promotion(request: PageRequest, promotion: str) -> HttpResponse:
    """One promotion: its live progress, and what became of it."""
    return _progress(request, find_promotion(request.actor, request.project, promotion))


@page
def promotion_changes(request: PageRequest, promotion: str) -> HttpResponse:
    found = find_promotion(request.actor, request.project, promotion)
    return live.changes(request, [_progress_piece(request, found)])


@require_POST
@page
def add_reason(request: PageRequest, promotion: str) -> HttpResponse:
    """Say afterwards why."""
    found = find_promotion(request.actor, request.project, promotion)
    reason = request.POST.get("reason", "").strip()[:LONGEST_REASON]
    promotions.add_reason(promotion=found, reason=reason, by=request.actor)
    if request.htmx:
        return _progress(request, found)
    messages.success(request, "The reason is kept.")
    return redirect("promotion", project=request.project.name, promotion=found.pk)


# History of all environments


@page
def history(request: PageRequest) -> HttpResponse:
    """What was promoted anywhere in the project, newest first."""
    permissions.check_can_read_environments(request.actor, request.project)
    visible = Promotion.objects.visible_to(request.actor, request.project)
    before = request.GET.get("before", "")
    older = visible.filter(pk__lt=before) if before.isdecimal() and len(before) < 19 else visible
    found = list(older.newest(HISTORY + 1).with_replicas())
    context = {
        "promotions": found[:HISTORY],
        "older": found[HISTORY - 1].pk if len(found) > HISTORY else None,
        "chart": drawings.promotions_by_week(request),
    }
    return render(request, "promotions/history.html", context)
