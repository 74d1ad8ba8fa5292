"""Pipelines: the list, one pipeline with its declaration and runs, the form to declare one, and starting it by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Max
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.problems import InvalidFields, MissingGrant, NotFound, Problem
from environments import bundles, errors, permissions, pipeline_spec, schedules
from environments.actions import pipeline_rows, pipeline_runs, pipelines
from environments.api.scope import find_pipeline, is_id
from environments.models import Environment, Pipeline, PipelineRun
from environments.pages import live
from environments.pages.access import PageRequest, page, why_not
from environments.pages.commands import api, curl
from environments.states import DeclaredIn, Trigger

SECTION = "pipelines"
RUNS = 20
# So many of its next times are shown.
NEXT = 3
EXAMPLE = """\
source: newest            # or {{repository: NAME, ref: main}}
configs: [config.yml]     # one model is trained from each
gates:
  minimum_f1: 0.7
  better_than_serving: {{margin: 0.01, p_value: 0.05}}
promote: {environment}
on:
  schedule: 0 3 * * *     # each night at three
  time_zone: Europe/Berlin
"""


# The list


@dataclass(frozen=True)
class Line:
    """A pipeline as the list shows it. `when` says in words what starts it."""

    pipeline: Pipeline
    last: PipelineRun | None
    when: str


def when(pipeline: Pipeline) -> str:
    """What starts it, in words."""
    declared = pipeline_rows.spec_of(pipeline).on
    words = []
    if declared.schedule:
        words.append(f"{schedules.words(declared.schedule)} ({declared.time_zone})")
    if declared.push:
        words.append("on a push")
    if declared.upload:
        words.append("on an upload")
    return "; ".join(words) or "by hand alone"


def _why_not_started(request: PageRequest, pipeline: Pipeline) -> str:
    refused = pipeline_runs.why_not_by_hand(pipeline, request.actor)
    return refused.detail if refused else ""


def _why_not_declared(request: PageRequest) -> str:
    return why_not(permissions.check_can_write_pipelines, request.actor, request.project)


def _lines(request: PageRequest) -> list[Line]:
    rows = list(Pipeline.objects.visible_to(request.actor, request.project))
    newest = PipelineRun.objects.filter(pipeline__in=rows).values("pipeline").annotate(newest=Max("pk"))
    runs = PipelineRun.objects.filter(pk__in=newest.values("newest"))
    last = {run.pipeline_id: run for run in runs.told()}
    return [Line(row, last.get(row.pk), when(row)) for row in rows]


def _list(request: PageRequest) -> live.Piece:
    permissions.check_can_read_pipelines(request.actor, request.project)
    return live.piece(request, "pipelines", "pipelines/list.html", {"lines": _lines(request)})


@page
def list_pipelines(request: PageRequest) -> HttpResponse:
    context = {"list": _list(request), "why": _why_not_declared(request)}
    return render(request, "pipelines/pipelines.html", context)


@page
def pipelines_changes(request: PageRequest) -> HttpResponse:
    return live.changes(request, [_list(request)])


# One


def text_of(pipeline: Pipeline) -> str:
    """The declaration as YAML, without what says nothing."""
    said = {name: value for name, value in pipeline.declaration.items() if value not in (None, {}, [])}
    if not pipeline.enabled:
        said["enabled"] = False
    return bundles.dump(said).decode()


def _next(pipeline: Pipeline) -> list[datetime]:
    """The next times of its schedule."""
    declared = pipeline_rows.spec_of(pipeline)
    found: list[datetime] = []
    at = pipeline.due_at
    while at is not None and len(found) < NEXT:
        found.append(at)
        at = pipeline_rows.next_due(declared, max(at, timezone.now()))
    return found


def _runs(request: PageRequest, pipeline: Pipeline) -> live.Piece:
    rows = PipelineRun.objects.visible_to(request.actor, request.project).filter(pipeline=pipeline)
    before = request.GET.get("before", "")
    older = rows.filter(pk__lt=before) if is_id(before) else rows
    found = list(older.order_by("-pk")[: RUNS + 1])
    context = {"runs": found[:RUNS], "older": found[RUNS - 1].pk if len(found) > RUNS else None, "pipeline": pipeline}
    return live.piece(request, "runs", "pipelines/runs.html", context)


def _why_not_changed(request: PageRequest, pipeline: Pipeline) -> str:
    if pipeline.declared_in == DeclaredIn.FILE:
        return "It is declared in pipelines.yml. Change it there, then run manage.py sync_pipelines."
    return _why_not_declared(request)


@page
def pipeline(request: PageRequest, name: str) -> HttpResponse:
    """One pipeline: what it does, when it is wanted next, its runs."""
    request.section = SECTION
    found = find_pipeline(request.actor, request.project, name)
    declared = pipeline_rows.spec_of(found)
    context = {
        "pipeline": found,
        "declared": declared,
        "environment": _environment(request, declared.promote),
        "text": text_of(found),
        "runs": _runs(request, found),
        "when": when(found),
        "next": _next(found),
        "why_not_started": _why_not_started(request, found),
        "why_not_changed": _why_not_changed(request, found),
        "why_no_secret": why_not(pipeline_runs.check_may_run, found, request.actor),
        "push_url": push_url(request, found),
        "curl": curl("POST", api(request, f"pipelines/{found.name}/runs/")),
    }
    return render(request, "pipelines/pipeline.html", context)


def _environment(request: PageRequest, name: str | None) -> Environment | None:
    """For its colour."""
    return Environment.objects.filter(project=request.project, name=name).first() if name else None


def push_url(request: PageRequest, pipeline: Pipeline) -> str:
    return api(request, f"pipelines/{pipeline.name}/push/")


@page
def pipeline_changes(request: PageRequest, name: str) -> HttpResponse:
    found = find_pipeline(request.actor, request.project, name)
    return live.changes(request, [_runs(request, found)])


@require_POST
@page
def start(request: PageRequest, name: str) -> HttpResponse:
    """Start it by hand."""
    found = find_pipeline(request.actor, request.project, name)
    try:
        run = pipeline_runs.start(pipeline=found, trigger=Trigger.HAND, by=request.actor)
    except errors.PipelineDisabled as refused:
        messages.error(request, refused.detail)
        return redirect("pipeline", project=request.project.name, name=found.name)
    return redirect("pipeline-run", project=request.project.name, name=found.name, run=run.pk)


@require_POST
@never_cache
@page
def push_secret(request: PageRequest, name: str) -> HttpResponse:
    """A new secret for the git server; it is shown once."""
    request.section = SECTION
    found = find_pipeline(request.actor, request.project, name)
    secret = pipelines.new_push_secret(pipeline=found, by=request.actor)
    context = {"pipeline": found, "secret": secret, "push_url": push_url(request, found)}
    return render(request, "pipelines/secret.html", context)


# Declaring


def _form(
    request: PageRequest, existing: Pipeline | None, name: str, text: str, refused: Problem | None = None
) -> HttpResponse:
    request.section = SECTION
    context: dict[str, Any] = {
        "pipeline": existing,
        "name": name,
        "text": text,
        "refused": refused,
        "lines": _told(refused),
        "why": _why_not_changed(request, existing) if existing else _why_not_declared(request),
        "example": _example(request),
    }
    return render(request, "pipelines/form.html", context, status=refused.status if refused else 200)


def _told(refused: Problem | None) -> Sequence[str]:
    """Each error with the key that it is of."""
    if refused is None:
        return []
    if not refused.errors:
        return [refused.detail]
    return [f"{key}: {told}" if key else told for key, sentences in refused.errors.items() for told in sentences]


def _example(request: PageRequest) -> str:
    """One that fits this project: to the first environment that one may promote to."""
    environments = Environment.objects.visible_to(request.actor, request.project).filter(follows=None)
    own = [row for row in environments.order_by("protected", "order") if permissions.can_promote(request.actor, row)]
    return EXAMPLE.format(environment=own[0].name if own else "experimental")


@page
def new_pipeline(request: PageRequest) -> HttpResponse:
    """Declare one: its name, and the rest as YAML."""
    permissions.check_can_write_pipelines(request.actor, request.project)
    if request.method != "POST":
        return _form(request, None, "nightly", _example(request))
    name, text = request.POST.get("name", "").strip(), request.POST.get("text", "")
    try:
        declared = pipeline_spec.read_text(text, project=request.project.name, name=name)
        made = pipelines.define(project=request.project, declared=declared, by=request.actor)
    except (MissingGrant, NotFound):
        raise
    except Problem as refused:
        return _form(request, None, name, text, refused)
    messages.success(request, f"Pipeline {made.name} is declared.")
    return redirect("pipeline", project=request.project.name, name=made.name)


@page
def edit_pipeline(request: PageRequest, name: str) -> HttpResponse:
    """Declare it anew."""
    found = find_pipeline(request.actor, request.project, name)
    permissions.check_can_write_pipelines(request.actor, request.project)
    if request.method != "POST":
        return _form(request, found, found.name, text_of(found))
    text = request.POST.get("text", "")
    try:
        declared = pipeline_spec.read_text(text, project=request.project.name, name=found.name)
        pipelines.replace(pipeline=found, declared=declared, by=request.actor)
    except (InvalidFields, errors.PipelineInFile, errors.PipelineGone) as refused:
        return _form(request, found, found.name, text, refused)
    messages.success(request, f"Pipeline {found.name} is changed. You own it now.")
    return redirect("pipeline", project=request.project.name, name=found.name)


@page
def remove_pipeline(request: PageRequest, name: str) -> HttpResponse:
    """Asks first."""
    request.section = SECTION
    found = find_pipeline(request.actor, request.project, name)
    if request.method == "POST":
        pipelines.remove(pipeline=found, by=request.actor)
        messages.success(request, f"{found.name} was removed; its runs stay as history.")
        url = reverse("pipelines", args=[request.project.name])
        return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
    context = {
        "pipeline": found,
        "why": _why_not_changed(request, found),
        "going_on": PipelineRun.objects.active().filter(pipeline=found).exists(),
        "curl": curl("DELETE", api(request, f"pipelines/{found.name}/")),
    }
    return render(request, "pipelines/remove.html", context)
