"""One bundle: what is in it, which version it is, what was trained from it, and what it changes against another."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from accounts.problems import Problem
from environments import bundle_diffs, permissions, stored_bundles
from environments.api.scope import find_bundle
from environments.models import Bundle, TrainedModel
from environments.pages.access import PageRequest, page, why_not
from environments.pages.commands import api, curl

SECTION = "training"
# Of each list; the others are found by their search.
SHOWN = 50
OTHERS = 30
KINDS = ("stories", "rules", "responses", "flows", "slots", "forms", "entities", "actions")


@page
def bundle(request: PageRequest, bundle: str) -> HttpResponse:
    request.section = SECTION
    found = find_bundle(request.actor, request.project, bundle)
    others = Bundle.objects.visible_to(request.actor, request.project).exclude(pk=found.pk).filter(removed_at=None)
    before = others.filter(pk__lt=found.pk).first()
    asked = request.GET.get("against", "")
    route = f"bundles/{found.pk}/"
    address = api(request, f"{route}diff/", against=before.pk) if before else api(request, route)
    context = {
        "bundle": found,
        "models": _models(request, found),
        "others": others.select_related("repository")[:OTHERS],
        "against": asked or (str(before.pk) if before else ""),
        # A comparison reads both bundles: it is asked for, and fetched after the page where there is a script.
        "difference": _difference(request, found, asked) if asked else None,
        "why": why_not(permissions.check_can_train, request.actor, request.project),
        "curl": curl("GET", address),
    }
    return render(request, "training/bundle.html", context)


@page
def bundle_changes(request: PageRequest, bundle: str) -> HttpResponse:
    """What it changes against another, as a part of its page."""
    request.section = SECTION
    found = find_bundle(request.actor, request.project, bundle)
    context = {"difference": _difference(request, found, request.GET.get("against", ""))}
    return render(request, "training/bundle_diff.html", context)


def _models(request: PageRequest, bundle: Bundle) -> list[TrainedModel]:
    return list(TrainedModel.objects.visible_to(request.actor, request.project).filter(bundle=bundle)[:SHOWN])


def _difference(request: PageRequest, bundle: Bundle, against: str) -> dict[str, Any]:
    other = find_bundle(request.actor, request.project, against)
    try:
        found = stored_bundles.diff(other, bundle)
    except Problem as problem:
        return {"against": other, "problem": problem}
    kinds = [(kind, found[kind]) for kind in KINDS if any(found[kind].values())]
    beside = [(key, pair) for part in ("config", "session") for key, pair in found[part].items()]
    return {
        "against": other,
        "is_empty": bundle_diffs.is_empty(found),
        "intents": found["intents"],
        "kinds": kinds,
        "beside": beside,
    }
