"""Trained models: find one, see what is in it and where it serves, tag it, delete it."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from accounts.problems import MissingGrant, Problem
from environments import diffs, errors, permissions
from environments.actions import promotions, tags, trained_models
from environments.api.scope import find_model
from environments.models import Environment, Promotion, Tag, TrainedModel
from environments.models.trained_model import TrainedModelQuerySet
from environments.pages.access import PageRequest, page
from environments.pages.commands import curl, public_url
from environments.pages.evaluations import evaluations_of, newest_evaluation, why_not_evaluated
from environments.pages.overview import matrix

PER_PAGE = 50

SORTS = {
    "name": "name",
    "trained": "trained_at",
    "by": "registered_by_name",
    "version": "version",
    "size": "size",
    "registered": "pk",
}
DEFAULT_SORT = "-registered"


@dataclass(frozen=True)
class Column:
    """A head of the table. `sort` is what its link asks for; `sorted` is its `aria-sort`, empty for the others."""

    word: str
    sort: str
    sorted: str
    number: bool = False


def _columns(sort: str) -> list[Column]:
    heads = (
        ("Model", "name", False),
        ("Trained", "trained", False),
        ("By", "by", False),
        ("Rasa", "version", False),
        ("Size", "size", True),
    )
    columns = []
    for word, key, number in heads:
        here = sort.lstrip("-") == key
        direction = ("descending" if sort.startswith("-") else "ascending") if here else ""
        first = key if key in ("name", "by") else f"-{key}"
        turned = key if sort.startswith("-") else f"-{key}"
        columns.append(Column(word, turned if here else first, direction, number))
    return [*columns, Column("Intents", "", "", number=True), Column("F1", "", "", number=True)]


def _filtered(request: PageRequest, owners: list[Environment]) -> TrainedModelQuerySet:
    """The models that the search and the filters leave."""
    asked = request.GET
    rows = TrainedModel.objects.visible_to(request.actor, request.project)
    if text := asked.get("q", "").strip():
        rows = rows.filter(Q(name__icontains=text) | Q(hash__istartswith=text) | Q(model_id__istartswith=text))
    if tag := asked.get("tag"):
        rows = rows.tagged(tag)
    if asked.get("environment") in {environment.name for environment in owners}:
        rows = rows.tagged(asked["environment"])
    if version := asked.get("version"):
        rows = rows.filter(version=version)
    if by := asked.get("by"):
        rows = rows.filter(registered_by_name=by)
    return rows


def _sorted(rows: QuerySet[TrainedModel], sort: str) -> QuerySet[TrainedModel]:
    field = SORTS[sort.lstrip("-")]
    sign = "-" if sort.startswith("-") else ""
    return rows.order_by(f"{sign}{field}", f"{sign}pk")


def _choices(request: PageRequest, owners: list[Environment]) -> list[tuple[str, str, list[str]]]:
    """The filters: name, word, what there is to choose."""
    visible = TrainedModel.objects.visible_to(request.actor, request.project)
    names = [environment.name for environment in owners]
    free = Tag.objects.filter(project=request.project).exclude(name__in=names).values_list("name", flat=True)
    versions = visible.order_by("-version").values_list("version", flat=True).distinct()
    people = visible.order_by("registered_by_name").values_list("registered_by_name", flat=True).distinct()
    filters = [
        ("environment", "Environment", names),
        ("tag", "Tag", list(free)),
        ("version", "Rasa version", list(versions)),
        ("by", "Registered by", list(people)),
    ]
    return [(name, word, choices) for name, word, choices in filters if choices]


def _owners(request: PageRequest) -> list[Environment]:
    """The environments that own a tag, as far as one may see them."""
    visible = Environment.objects.visible_to(request.actor, request.project)
    return [environment for environment in visible if environment.follows is None]


@page
def models(request: PageRequest) -> HttpResponse:
    permissions.check_can_read_models(request.actor, request.project)
    owners = _owners(request)
    sort = request.GET.get("sort", DEFAULT_SORT)
    sort = sort if sort.lstrip("-") in SORTS else DEFAULT_SORT
    paginator = Paginator(_sorted(_filtered(request, owners), sort), PER_PAGE)
    shown = paginator.get_page(request.GET.get("page"))
    context = {
        "matrix": matrix(request.actor, owners, list(shown.object_list)),
        "columns": _columns(sort),
        "shown": shown,
        "total": paginator.count,
        "filters": _choices(request, owners),
        "filtered": any(request.GET.get(name) for name in ("q", "tag", "environment", "version", "by")),
    }
    return render(request, "models/models.html", context)


# One model


@dataclass(frozen=True)
class Place:
    """An environment as one model's menu and page show it. `why` says why it cannot be promoted there, or empty."""

    environment: Environment
    serves: bool
    why: str


def places(request: PageRequest, model: TrainedModel) -> list[Place]:
    """Where the model can be promoted to."""
    carried = set(Tag.objects.filter(model=model).values_list("name", flat=True))
    found = []
    for environment in _owners(request):
        refused = promotions.refusal(environment=environment, model=model, by=request.actor)
        found.append(Place(environment, environment.name in carried, refused.detail if refused else ""))
    return found


def why_not_deleted(request: PageRequest, model: TrainedModel) -> str:
    """Why deleting is off, empty where it is not."""
    try:
        permissions.check_can_delete_models(request.actor, request.project)
    except Problem as problem:
        return problem.detail
    uses = trained_models.check_can_delete_now(model)
    return f"In use: {'; '.join(uses)}." if uses else ""


def _why_not_tagged(request: PageRequest) -> str:
    if request.actor.may(request.project, "models.write"):
        return ""
    return MissingGrant("models.write").detail


@page
def menu(request: PageRequest, model: str) -> HttpResponse:
    """What the three dots offer."""
    found = find_model(request.actor, request.project, model)
    context = {
        "model": found,
        "places": places(request, found),
        "why_not_tagged": _why_not_tagged(request),
        "why_not_evaluated": why_not_evaluated(request),
        "evaluated": newest_evaluation(request, found),
        "why_not_deleted": why_not_deleted(request, found),
    }
    return render(request, "models/menu.html", context)


def _free_tags(request: PageRequest, model: TrainedModel) -> list[str]:
    names = Environment.objects.filter(project=request.project).values_list("name", flat=True)
    return list(Tag.objects.filter(model=model).exclude(name__in=names).values_list("name", flat=True))


def _served(request: PageRequest, model: TrainedModel) -> QuerySet[Promotion]:
    return Promotion.objects.visible_to(request.actor, request.project).filter(model=model).order_by("-pk")[:20]


@page
def model(request: PageRequest, model: str) -> HttpResponse:
    """Identity, contents, where it serves and served."""
    request.section = "models"
    found = find_model(request.actor, request.project, model)
    declared = [(kind, sorted(diffs.declared(found.metadata, kind))) for kind in diffs.KINDS]
    context = {
        "model": found,
        "kinds": [(kind, names) for kind, names in declared if names],
        "pipeline": [_component(component) for component in diffs.pipeline(found.metadata)],
        "policies": [_component(component) for component in diffs.policies(found.metadata)],
        "places": places(request, found),
        "served": _served(request, found),
        "evaluations": evaluations_of(request, found),
        "why_not_evaluated": why_not_evaluated(request),
        "tags": _free_tags(request, found),
        "why_not_tagged": _why_not_tagged(request),
        "why_not_deleted": why_not_deleted(request, found),
        "curl": curl("GET", f"{public_url(request)}/api/projects/{request.project.name}/models/{found.name}")
        + f" \\\n  -o {found.filename}",
    }
    return render(request, "models/model.html", context)


def _component(component: dict[str, Any]) -> tuple[str, str]:
    """Name and settings of a component, on one line."""
    settings = ", ".join(f"{key}: {value}" for key, value in component.items() if key != "name")
    return str(component["name"]), settings


@page
def tag(request: PageRequest, model: str) -> HttpResponse:
    """Put a free tag on the model. An environment's tag is moved by promoting."""
    found = find_model(request.actor, request.project, model)
    problem = None
    if request.method == "POST":
        name = request.POST.get("tag", "").strip()
        permissions.check_can_write_models(request.actor, request.project)
        try:
            _check_free(request, name)
            tags.put(project=request.project, tag=name, model=found, by=request.actor)
        except Problem as refused:
            problem = refused
        else:
            messages.success(request, f"{found.name} carries the tag {name}.")
            return _back_to_model(request, found)
    holders = Tag.objects.filter(project=request.project).select_related("model")
    owners = {environment.name for environment in _owners(request)}
    context = {
        "model": found,
        "problem": problem,
        "known": [holder for holder in holders if holder.name not in owners],
        "tag": request.POST.get("tag", ""),
        "why": _why_not_tagged(request),
    }
    return render(request, "models/tag.html", context, status=problem.status if problem else 200)


def _check_free(request: PageRequest, name: str) -> None:
    environment = tags.environment_of(request.project, name) if name else None
    if environment is not None:
        raise errors.EnvironmentTag(f"{name} is the tag of an environment. Promote the model to it instead.")


@require_POST
@page
def untag(request: PageRequest, model: str) -> HttpResponse:
    """Take a free tag away from the model."""
    found = find_model(request.actor, request.project, model)
    name = request.POST.get("tag", "")
    permissions.check_can_write_models(request.actor, request.project)
    _check_free(request, name)
    tags.remove(project=request.project, tag=name, model=found, by=request.actor)
    messages.success(request, f"{found.name} no longer carries the tag {name}.")
    return _back_to_model(request, found)


def _back_to_model(request: PageRequest, model: TrainedModel) -> HttpResponse:
    if request.htmx:
        return HttpResponseClientRefresh()
    return redirect("model", project=request.project.name, model=model.name)


@page
def delete(request: PageRequest, model: str) -> HttpResponse:
    """Delete a model that nothing uses; asks first."""
    found = find_model(request.actor, request.project, model)
    problem = None
    if request.method == "POST":
        try:
            trained_models.delete(model=found, by=request.actor)
        except MissingGrant:
            raise
        except Problem as refused:
            problem = refused
        else:
            messages.success(request, f"{found.name} was deleted.")
            url = reverse("models", args=[request.project.name])
            return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
    context = {"model": found, "problem": problem, "why": why_not_deleted(request, found)}
    return render(request, "models/delete.html", context, status=problem.status if problem else 200)
