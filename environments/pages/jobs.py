"""One job: how far it is, what it prints, and what can be done about it; and the queue."""

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.problems import BadRequest
from environments import permissions, queue_times
from environments.actions import evaluations, jobs, trainings
from environments.api.scope import find_job, is_id
from environments.models import Evaluation, Job, JobLog
from environments.pages import live
from environments.pages.access import PageRequest, page, why_not
from environments.pages.commands import api, curl
from environments.pages.models import places
from environments.states import ACTIVE_JOBS, JobKind, JobStatus

# Characters of a log that the page begins with.
SHOWN = 64 * 1024
# Rows of the queue.
ROWS = 100
AGAIN = (JobKind.TRAINING, JobKind.EVALUATION)


def _state(request: PageRequest, job: Job) -> live.Piece:
    may_see_models = request.actor.may(request.project, "models.read")
    context = {
        "job": job,
        "active": job.status in ACTIVE_JOBS,
        "wait": queue_times.of(job),
        "why_not_cancelled": why_not(permissions.check_can_cancel, request.actor, job),
        "can_run_again": job.kind in AGAIN,
        "why_not_again": _why_not_again(request, job),
        "places": places(request, job.result) if job.result and may_see_models else [],
    }
    return live.piece(request, "job", "jobs/state.html", context)


def _why_not_again(request: PageRequest, job: Job) -> str:
    check = permissions.check_can_train if job.kind == JobKind.TRAINING else permissions.check_can_evaluate
    return why_not(check, request.actor, request.project)


def _tail(job: Job) -> dict[str, Any]:
    """The end of the log, in whole lines."""
    begin = max(0, JobLog.objects.end(job) - SHOWN)
    reading = JobLog.objects.read(job, begin)
    text = reading.text.partition("\n")[2] if begin else reading.text
    return {"text": text, "cut": begin > 0, "offset": reading.next_offset}


@page
def job(request: PageRequest, job: str) -> HttpResponse:
    """Its state and its log, both of which follow it."""
    request.section = "training"
    found = find_job(request.actor, request.project, job)
    log, cancel = (api(request, f"jobs/{found.pk}/{verb}/") for verb in ("log", "cancel"))
    context = {
        "job": found,
        "state": _state(request, found),
        "done": found.status not in ACTIVE_JOBS,
        "curl": "\n".join((curl("GET", log), curl("POST", cancel))),
        **_tail(found),
    }
    return render(request, "jobs/job.html", context)


@page
def job_changes(request: PageRequest, job: str) -> HttpResponse:
    return live.changes(request, [_state(request, find_job(request.actor, request.project, job))])


@page
def job_log(request: PageRequest, job: str) -> HttpResponse:
    """What was printed since `offset`, to be added to what the page shows; 204 for nothing yet."""
    found = find_job(request.actor, request.project, job)
    ended = found.status not in ACTIVE_JOBS
    offset = request.GET.get("offset", "0")
    if not is_id(offset):
        raise BadRequest("offset is the number of characters that are there already, 0 or more.")
    reading = JobLog.objects.read(found, int(offset))
    done = ended and reading.next_offset >= JobLog.objects.end(found)
    if not reading.text and not done:
        return HttpResponse(status=204)
    context = {"job": found, "text": reading.text, "offset": reading.next_offset, "done": done, "follows": True}
    return render(request, "jobs/log.html", context)


@page
def whole_log(request: PageRequest, job: str) -> HttpResponse:
    """All that is kept of the log, as text."""
    found = find_job(request.actor, request.project, job)
    return HttpResponse(_pieces(found), content_type="text/plain; charset=utf-8")


def _pieces(job: Job) -> Iterator[str]:
    reading = JobLog.objects.read(job, 0)
    while reading.text:
        yield reading.text
        reading = JobLog.objects.read(job, reading.next_offset)


@page
def cancel(request: PageRequest, job: str) -> HttpResponse:
    """Ask first; a POST cancels it."""
    request.section = "training"
    found = find_job(request.actor, request.project, job)
    permissions.check_can_cancel(request.actor, found)
    if request.method != "POST":
        return render(request, "jobs/cancel.html", {"job": found, "ended": found.status not in ACTIVE_JOBS})
    cancelled = jobs.cancel(job=found, by=request.actor)
    done = cancelled.status == JobStatus.CANCELLED
    messages.success(request, f"Job {found.pk} is cancelled." if done else f"Job {found.pk} is asked to stop.")
    return redirect("job", project=request.project.name, job=found.pk)


@page
def run_again(request: PageRequest, job: str) -> HttpResponse:
    """Ask first; a POST submits one like it."""
    request.section = "training"
    found = find_job(request.actor, request.project, job)
    if request.method != "POST":
        return render(request, "jobs/again.html", {"job": found})
    following = _again(request, found)
    messages.success(request, f"Job {following.pk} is queued, as job {found.pk} was.")
    return redirect("job", project=request.project.name, job=following.pk)


def _again(request: PageRequest, job: Job) -> Job:
    if job.kind == JobKind.TRAINING:
        return trainings.submit_again(job=job, by=request.actor)
    evaluation = Evaluation.objects.filter(job=job).select_related("model__project", "bundle", "job").first()
    if evaluation is None:
        raise BadRequest("A job of this kind is not run again from here.")
    return evaluations.submit_again(evaluation=evaluation, by=request.actor).job


# The queue


def _queue(request: PageRequest) -> live.Piece:
    permissions.check_can_read_training(request.actor, request.project)
    rows = Job.objects.visible_to(request.actor, request.project)
    running = rows.filter(status=JobStatus.RUNNING).select_related("environment").order_by("started_at")
    queued = rows.filter(status=JobStatus.QUEUED)
    shown = list(queued.order_by("pk")[:ROWS])
    waits = queue_times.of_all(shown)
    context = {
        "running": list(running[:ROWS]),
        "queued": [(job, waits.get(job.pk)) for job in shown],
        "more": max(0, queued.count() - ROWS) if len(shown) == ROWS else 0,
    }
    return live.piece(request, "queue", "jobs/queue_rows.html", context)


@page
def queue(request: PageRequest) -> HttpResponse:
    """What runs and what waits, in its order."""
    request.section = "training"
    return render(request, "jobs/queue.html", {"queue": _queue(request)})


@page
def queue_changes(request: PageRequest) -> HttpResponse:
    return live.changes(request, [_queue(request)])
