"""Evaluations: test a model, see how well it understands and what it confuses, compare two of them."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts import problems
from accounts.problems import InvalidFields, MissingGrant, Problem
from environments import permissions
from environments.actions import evaluations as actions
from environments.actions import trainings
from environments.api.scope import find_bundle, find_evaluation, find_evaluation_or_model, find_model
from environments.api.v1.evaluations import told
from environments.comparisons import Comparison, Pair
from environments.models import Bundle, Evaluation, TrainedModel
from environments.pages import drawings, figures, live
from environments.pages.access import PageRequest, page
from environments.pages.commands import api, curl
from environments.pages.figures import NOTHING
from environments.states import ACTIVE_JOBS, EvaluationMethod

PER_PAGE = 50
BUNDLES = 20
WRONG = 50
OTHERS = 20
OF_MODEL = 8
# A chance of so much or less is what people take for proof.
PROVED = 0.05

METHODS = (
    ("", "Its test data, else a part that is held out"),
    (EvaluationMethod.DATA, "Its test data"),
    (EvaluationMethod.SPLIT, "A fifth of its examples"),
    (EvaluationMethod.CROSS_VALIDATION, "Cross-validation in 5 folds"),
)
RAISED = (problems.MissingGrant, problems.NotFound, problems.CsrfFailed)


@page
def evaluations(request: PageRequest) -> HttpResponse:
    """All of them, newest first."""
    request.section = "models"
    permissions.check_can_read_evaluations(request.actor, request.project)
    rows = Evaluation.objects.visible_to(request.actor, request.project).order_by("-pk")
    shown = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {"shown": shown, "evaluations": shown.object_list, "chart": drawings.f1_of_models(request)}
    return render(request, "evaluations/evaluations.html", context)


# One


def _head(request: PageRequest, evaluation: Evaluation) -> live.Piece:
    return live.piece(request, "evaluation", "evaluations/head.html", {"evaluation": evaluation})


def _others(request: PageRequest, evaluation: Evaluation) -> list[Evaluation]:
    """Those that it can be compared with, newest first."""
    alike = Evaluation.objects.visible_to(request.actor, request.project).finished()
    return list(alike.filter(test_hash=evaluation.test_hash).exclude(pk=evaluation.pk).order_by("-pk")[:OTHERS])


@page
def evaluation(request: PageRequest, evaluation: str) -> HttpResponse:
    request.section = "models"
    found = find_evaluation(request.actor, request.project, evaluation)
    intents = found.intents or {}
    wrong = figures.wrong(found.predictions or [])
    context: dict[str, Any] = {
        "evaluation": found,
        "head": _head(request, found),
        "active": found.job.status in ACTIVE_JOBS,
        "others": _others(request, found) if found.intents else [],
        "lines": figures.lines(intents.get("per_intent", {})),
        "confused": figures.confused(intents.get("confusion", {})),
        "matrix": figures.matrix(intents.get("confusion", {})),
        "histogram": figures.histogram(intents.get("confidence")),
        "wrong": wrong[:WRONG],
        "wrong_total": len(wrong),
        "extractors": _extractors(found),
        "responses": figures.lines((found.responses or {}).get("per_response", {})),
        "actions": figures.lines((found.stories or {}).get("per_action", {})),
        "curl": curl("GET", api(request, f"evaluations/{found.pk}/")),
    }
    return render(request, "evaluations/evaluation.html", context)


def _extractors(evaluation: Evaluation) -> list[tuple[str, list[figures.Line]]]:
    extractors = (evaluation.entities or {}).get("extractors", {})
    return [(name, figures.lines(tested["per_entity"])) for name, tested in extractors.items()]


@page
def evaluation_changes(request: PageRequest, evaluation: str) -> HttpResponse:
    """What changed while it runs; once it has ended, the whole page."""
    found = find_evaluation(request.actor, request.project, evaluation)
    if found.job.status not in ACTIVE_JOBS:
        return HttpResponseClientRedirect(reverse("evaluation", args=[request.project.name, found.pk]))
    return live.changes(request, [_head(request, found)])


# Of a model


def evaluations_of(request: PageRequest, model: TrainedModel) -> list[Evaluation]:
    """The newest of one model, as its page shows them."""
    return list(Evaluation.objects.visible_to(request.actor, request.project).filter(model=model)[:OF_MODEL])


def newest_evaluation(request: PageRequest, model: TrainedModel) -> Evaluation | None:
    """The newest that has a result."""
    return Evaluation.objects.visible_to(request.actor, request.project).finished().filter(model=model).first()


# Evaluate


def why_not_evaluated(request: PageRequest) -> str:
    """Why evaluating is off, empty where it is not."""
    try:
        permissions.check_can_evaluate(request.actor, request.project)
        trainings.check_can_be_run(request.project)
    except Problem as problem:
        return problem.detail
    if not Bundle.objects.filter(project=request.project, removed_at=None).exists():
        return "There is no bundle to test on. Send one on the page Training."
    return ""


def _submitted(request: PageRequest, model: TrainedModel) -> Evaluation:
    permissions.check_can_evaluate(request.actor, request.project)
    bundle, method = request.POST.get("bundle", ""), request.POST.get("method", "")
    if method not in {known for known, _ in METHODS}:
        raise InvalidFields("There is no such method.", errors={"method": [f"One of {', '.join(EvaluationMethod)}."]})
    return actions.submit(
        model=model,
        by=request.actor,
        bundle=find_bundle(request.actor, request.project, bundle) if bundle else None,
        method=EvaluationMethod(method) if method else None,
    )


@page
def evaluate(request: PageRequest, model: str) -> HttpResponse:
    """Test the model; asks on what."""
    request.section = "models"
    found = find_model(request.actor, request.project, model)
    problem = None
    if request.method == "POST":
        try:
            made = _submitted(request, found)
        except RAISED:
            raise
        except Problem as refused:
            problem = refused
        else:
            messages.success(request, f"Evaluation {made.pk} is queued.")
            url = reverse("evaluation", args=[request.project.name, made.pk])
            return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
    context = {
        "model": found,
        "problem": problem,
        "bundles": Bundle.objects.visible_to(request.actor, request.project).filter(removed_at=None)[:BUNDLES],
        "methods": METHODS,
        "why": why_not_evaluated(request),
        "curl": curl("POST", api(request, "evaluations/"), {"model": found.name}),
    }
    return render(request, "evaluations/evaluate.html", context, status=problem.status if problem else 200)


# Compare


def verdict(comparison: Comparison) -> str:
    """What the figures say together, in words."""
    if not comparison.broken and not comparison.fixed:
        return "Both get the same utterances right."
    chance = f"{comparison.p_value:.0%}" if comparison.p_value >= 0.01 else "less than 1%"
    if comparison.p_value <= PROVED:
        return f"Models that are equally good would differ so unevenly by chance in {chance} of such tests."
    return (
        f"This can be chance: models that are equally good would differ so unevenly in {chance} of such tests. More "
        "test data would tell."
    )


def _named(pairs: list[Pair]) -> list[dict[str, str]]:
    return [{"text": one.text, "intent": one.intent, "a": one.a or NOTHING, "b": one.b or NOTHING} for one in pairs]


@page
def compare(request: PageRequest) -> HttpResponse:
    """Two side by side, worst changes first."""
    request.section = "models"
    permissions.check_can_read_evaluations(request.actor, request.project)
    asked = {side: request.GET.get(side, "") for side in ("a", "b")}
    context: dict[str, Any] = {"asked": asked, "choices": _choices(request)}
    if not all(asked.values()):
        return render(request, "evaluations/compare.html", context)
    sides = [find_evaluation_or_model(request.actor, request.project, asked[side]) for side in ("a", "b")]
    try:
        a, b = actions.pair(*sides)
        found = actions.compare(a, b)
    except MissingGrant:
        raise
    except Problem as problem:
        return render(request, "evaluations/compare.html", {**context, "problem": problem}, status=problem.status)
    context |= {
        "a": a,
        "b": b,
        "told": told(a, b, found),
        "gain": found.f1_b - found.f1_a,
        "verdict": verdict(found),
        "broken": _named(found.broken),
        "fixed": _named(found.fixed),
        "curl": curl("GET", api(request, "evaluations/compare/", a=a.pk, b=b.pk)),
    }
    return render(request, "evaluations/compare.html", context)


def _choices(request: PageRequest) -> list[TrainedModel]:
    """The models that were evaluated, registered last first."""
    visible = TrainedModel.objects.visible_to(request.actor, request.project).latest_first()
    evaluated = Evaluation.objects.visible_to(request.actor, request.project).finished()
    return list(visible.filter(pk__in=evaluated.values("model"))[:PER_PAGE])
