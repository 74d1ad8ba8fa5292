"""Settings, retention: the rules, and before they are saved what they would take away."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts import problems
from accounts.problems import InvalidFields, Problem
from environments import permissions
from environments.actions import retention
from environments.actions.retention_plans import BUNDLE, MODEL, Item, Plan, Rules
from environments.api.v1.retention import LIMITS, rules_of
from environments.models import Retention
from environments.pages.access import PageRequest, page, why_not
from environments.pages.commands import api, curl

SHOWN = 100
RAISED = (problems.MissingGrant, problems.NotFound, problems.CsrfFailed)


@page
def rules(request: PageRequest) -> HttpResponse:
    """The form; a POST saves it, or with `preview` shows first what it would do."""
    permissions.check_can_read_settings(request.actor, request.project)
    if request.method != "POST":
        return _shown(request, retention.of(request.project))
    draft = Retention(project=request.project, enabled=bool(request.POST.get("enabled")))
    try:
        asked = _read(request)
        draft.keep_models, draft.keep_bundles = asked.keep_models, asked.keep_bundles
        draft.served_within_days, draft.keep_log_days = asked.served_within_days, asked.keep_log_days
        draft.forget_after_days = asked.forget_after_days
        if "preview" in request.POST:
            return _shown(request, draft, plan=_plan(request, asked))
        retention.put(project=request.project, by=request.actor, enabled=draft.enabled, rules=asked)
    except RAISED:
        raise
    except Problem as problem:
        return _shown(request, draft, problem=problem)
    messages.success(request, "Saved. What no rule keeps goes each night." if draft.enabled else "Saved. Nothing goes.")
    return redirect("retention", project=request.project.name)


def _read(request: PageRequest) -> Rules:
    """An empty field is no rule."""
    try:
        return rules_of(request.POST) or Rules()
    except problems.BadRequest as problem:
        field = problem.detail.partition(" ")[0]
        raise InvalidFields(problem.detail, errors={field: [problem.detail]}) from problem


def _plan(request: PageRequest, asked: Rules) -> Plan | None:
    """None for who may not see models and bundles."""
    if why_not(permissions.check_can_preview_retention, request.actor, request.project):
        return None
    return retention.preview(project=request.project, by=request.actor, rules=asked)


def _shown(
    request: PageRequest, draft: Retention, *, plan: Plan | None = None, problem: Problem | None = None
) -> HttpResponse:
    if plan is None and problem is None:
        plan = _plan(request, retention.rules_of(draft))
    body = {name: getattr(draft, name) for name in ("enabled", *LIMITS)}
    context: dict[str, Any] = {
        "draft": draft,
        "typed": request.POST,
        "problem": problem,
        "is_preview": "preview" in request.POST and problem is None,
        "why": why_not(permissions.check_can_write_retention, request.actor, request.project),
        "why_no_preview": why_not(permissions.check_can_preview_retention, request.actor, request.project),
        "curl": curl("PUT", api(request, "retention/"), body),
        **(_told(plan) if plan else {}),
    }
    return render(request, "settings/retention.html", context, status=problem.status if problem else 200)


def _told(plan: Plan) -> dict[str, Any]:
    kept = [item for item in plan.items if not item.goes]
    return {
        "plan": plan,
        "models_going": len(plan.of(MODEL).going),
        "bundles_going": len(plan.of(BUNDLE).going),
        "going": _some(plan.going),
        "going_more": max(len(plan.going) - SHOWN, 0),
        "kept": _some(kept),
        "kept_count": len(kept),
        "kept_more": max(len(kept) - SHOWN, 0),
    }


def _some(items: Any) -> list[Item]:
    return list(items[:SHOWN])
