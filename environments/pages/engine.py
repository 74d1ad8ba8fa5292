"""What the container engine says of an environment's servers, what they print, and a restart of one of them.

The tab shows what was last seen and refreshes itself: no page waits for the engine but those that ask it something.
"""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from environments import permissions
from environments.api.scope import find_environment
from environments.clients.docker.engine import Container
from environments.engine import looking, restarting
from environments.models import Environment
from environments.pages import environments
from environments.pages.access import PageRequest, page, why_not
from environments.pages.commands import api, curl


@page
def containers(request: PageRequest, environment: str) -> HttpResponse:
    found = find_environment(request.actor, request.project, environment)
    restarting.watcher()
    return environments.shown(request, found, "engine", "environments/environment.html", {})


@page
def log(request: PageRequest, environment: str) -> HttpResponse:
    """The last lines of one container, for those who may restart it: what people wrote to the bot may stand in them."""
    found = find_environment(request.actor, request.project, environment)
    permissions.check_can_promote(request.actor, found)
    container = restarting.find(restarting.place(found).containers, request.GET.get("container", ""))
    printed = looking.tail(restarting.watcher().engine, container, found)
    context = {"environment": found, "container": container, "printed": printed, "lines": looking.TAIL}
    return render(request, "environments/container_log.html", context)


def _command(request: PageRequest, environment: Environment, container: Container) -> str:
    return curl("POST", api(request, f"environments/{environment.name}/containers/{container.name}/restart/"))


@page
def restart(request: PageRequest, environment: str) -> HttpResponse:
    """Asked first, for whoever is answered by it is not while it starts."""
    found = find_environment(request.actor, request.project, environment)
    name = request.POST.get("container", "") or request.GET.get("container", "")
    if request.method == "POST":
        container = restarting.restart(environment=found, name=name, by=request.actor)
        messages.success(request, f"{container.name} was restarted. It serves again when its next polls prove it.")
        return redirect("engine", project=request.project.name, environment=found.name)
    place = restarting.place(found)
    container = restarting.find(place.containers, name)
    refused = why_not(permissions.check_can_promote, request.actor, found) or restarting.why_not(place, container)
    context = {
        "environment": found,
        "container": container,
        "refused": refused,
        "alone": place.report.replicas.expected < 2,
        "command": f"curl -X POST …/containers/{container.name}/restart/",
        "curl": _command(request, found, container),
    }
    return render(request, "environments/restart.html", context)
