"""Training: what was trained and what is being trained."""

from django.http import HttpResponse
from django.shortcuts import render

from environments import permissions
from environments.models import Job
from environments.pages import live
from environments.pages.access import PageRequest, page

JOBS = 50


def _pieces(request: PageRequest) -> list[live.Piece]:
    permissions.check_can_read_training(request.actor, request.project)
    jobs = list(Job.objects.visible_to(request.actor, request.project).select_related("result")[:JOBS])
    return [live.piece(request, "jobs", "training/jobs.html", {"jobs": jobs})]


@page
def training(request: PageRequest) -> HttpResponse:
    (jobs,) = _pieces(request)
    return render(request, "training/training.html", {"jobs": jobs})


@page
def training_changes(request: PageRequest) -> HttpResponse:
    return live.changes(request, _pieces(request))
