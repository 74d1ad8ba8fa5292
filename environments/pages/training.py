"""Training: send a Rasa project, train it, see what was trained and what is being trained."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts import problems
from accounts.problems import Problem
from environments import permissions, receiving
from environments.actions import queue, trainings
from environments.api import uploads
from environments.api.scope import find_bundle
from environments.models import Bundle, Job, ServerCheck
from environments.pages import drawings, live
from environments.pages.access import PageRequest, page
from environments.pages.uploads import check_csrf
from environments.serving.reports import FAILURES_THAT_COUNT

JOBS = 50
BUNDLES = 20
FIELD = "bundle"
# A page that was too old and a wrong door are told by a page of their own, all else beside the form.
RAISED = (problems.MissingGrant, problems.NotFound, problems.CsrfFailed)


def _jobs(request: PageRequest) -> live.Piece:
    permissions.check_can_read_training(request.actor, request.project)
    found = Job.objects.visible_to(request.actor, request.project).select_related("result")[:JOBS]
    return live.piece(request, "jobs", "training/jobs.html", {"jobs": list(found), "silent": _silent(request)})


def _silent(request: PageRequest) -> ServerCheck | None:
    """The last check of the Rasa server that would train, where it did not answer."""
    if settings.TRAINING_RUNTIME != "server":
        return None
    trainer = queue.trainers([request.project.pk]).get(request.project.pk)
    failed = ServerCheck.objects.filter(environment=trainer, failures__gte=FAILURES_THAT_COUNT)
    return failed.select_related("environment").first() if trainer else None


def _why_not(request: PageRequest) -> str:
    """Why training is off, empty where it is not."""
    try:
        permissions.check_can_train(request.actor, request.project)
        trainings.check_can_be_run(request.project)
    except Problem as problem:
        return problem.detail
    return ""


def _shown(request: PageRequest, problem: Problem | None = None) -> HttpResponse:
    context: dict[str, Any] = {
        "jobs": _jobs(request),
        "bundles": Bundle.objects.visible_to(request.actor, request.project).filter(removed_at=None)[:BUNDLES],
        "chart": drawings.training_durations(request),
        "why": _why_not(request),
        "problem": problem,
        "limit": settings.MAX_BUNDLE_BYTES,
        "field": FIELD,
    }
    get_token(request)
    return render(request, "training/training.html", context, status=problem.status if problem else 200)


def _submit(request: PageRequest) -> Job:
    permissions.check_can_train(request.actor, request.project)
    named = request.POST.get("bundle", "")
    return trainings.submit(
        project=request.project,
        by=request.actor,
        bundle=find_bundle(request.actor, request.project, named) if named else None,
        model_name=request.POST.get("model_name", "").strip(),
        tags=request.POST.get("tags", "").replace(",", " ").split(),
    )


@page
def training(request: PageRequest) -> HttpResponse:
    """The jobs; a POST starts one."""
    if request.method != "POST":
        return _shown(request)
    try:
        job = _submit(request)
    except RAISED:
        raise
    except Problem as problem:
        return _shown(request, problem)
    messages.success(request, f"Training {job.pk} is queued.")
    return redirect("training", project=request.project.name)


@page
def training_changes(request: PageRequest) -> HttpResponse:
    return live.changes(request, [_jobs(request)])


@csrf_exempt  # by `check_csrf`, as soon as the field was read
@require_POST
@page
def upload_bundle(request: PageRequest) -> HttpResponse:
    """Take in a Rasa project to train from."""
    permissions.check_can_train(request.actor, request.project)
    try:
        with uploads.receive(request, field=FIELD, max_bytes=settings.MAX_BUNDLE_BYTES) as sent:
            check_csrf(request, sent.fields)
            received = receiving.receive_bundle(project=request.project, stream=sent, by=request.actor)
    except RAISED:
        raise
    except Problem as problem:
        return _shown(request, problem)
    told = "is stored" if received.created else "was here already, the same bytes"
    messages.success(request, f"Bundle {received.bundle.pk} {told}.")
    return redirect("training", project=request.project.name)
