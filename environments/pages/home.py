"""`/` leads to the project last used, else to the first one that may be seen."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.authentication import actor_of
from accounts.models import Project
from accounts.problems import NotFound
from environments.pages.access import LAST_PROJECT, to_sign_in


def home(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return to_sign_in(request)
    actor = actor_of(request)
    seen = [project.name for project in Project.objects.all() if actor.sees(project)]
    if not seen:
        raise NotFound("No project is open to you yet. Ask an administrator for a role.")
    last = request.session.get(LAST_PROJECT)
    return redirect("overview", project=last if last in seen else seen[0])
