"""Git repositories that bundles come from: the list, one with its form, fetching, removing."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.problems import CsrfFailed, MissingGrant, NotFound, Problem
from environments import permissions
from environments.actions import repositories as actions
from environments.api.scope import find_repository
from environments.models import Job, Repository
from environments.pages import live
from environments.pages.access import PageRequest, page, why_not
from environments.pages.commands import api, curl
from environments.states import JobKind

SECTION = "training"
JOBS = 20
TEXTS = ("url", "ref", "folder", "username", "known_hosts")
SECRETS = ("token", "ssh_key")
# A page that was too old and a wrong door are told by a page of their own, all else beside the form.
RAISED = (MissingGrant, NotFound, CsrfFailed)


def _why_not(request: PageRequest) -> str:
    return why_not(permissions.check_can_train, request.actor, request.project)


@page
def repositories(request: PageRequest) -> HttpResponse:
    request.section = SECTION
    permissions.check_can_read_training(request.actor, request.project)
    rows = Repository.objects.visible_to(request.actor, request.project).filter(removed_at=None)
    context = {"repositories": rows, "fetches": _fetches(request), "why": _why_not(request)}
    return render(request, "training/repositories.html", context)


def _fetches(request: PageRequest, repository: Repository | None = None) -> live.Piece:
    """The jobs that fetched or are fetching, of one repository or all, with their progress."""
    rows = Job.objects.visible_to(request.actor, request.project).filter(kind=JobKind.FETCH)
    if repository:
        rows = rows.filter(options__repository=repository.pk)
    names = dict(Repository.objects.filter(project=request.project).values_list("pk", "name"))
    found = [(job, names.get(job.options.get("repository"), ""), job.options.get("ref", "")) for job in rows[:JOBS]]
    return live.piece(request, "fetches", "training/fetches.html", {"fetches": found})


@page
def fetch_changes(request: PageRequest) -> HttpResponse:
    request.section = SECTION
    permissions.check_can_read_training(request.actor, request.project)
    named = request.GET.get("repository", "")
    found = find_repository(request.actor, request.project, named) if named else None
    return live.changes(request, [_fetches(request, found)])


# One


def _fields(request: PageRequest, repository: Repository | None) -> dict[str, Any]:
    """What was sent. A secret that is left empty stays; it is never shown again."""
    sent = {name: request.POST.get(name, "").strip() for name in TEXTS}
    secrets = {name: request.POST.get(name, "") for name in SECRETS}
    taken = {name: "" for name in SECRETS if repository and f"no_{name}" in request.POST}
    # A browser sends lines as a form has them.
    given = {name: secret.strip().replace("\r\n", "\n") for name, secret in secrets.items() if secret.strip()}
    return {**sent, "known_hosts": sent["known_hosts"].replace("\r\n", "\n"), **taken, **given}


def _form(request: PageRequest, repository: Repository | None, problem: Problem | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {name: getattr(repository, name, "") for name in TEXTS}
    if request.method == "POST":
        shown = {name: request.POST.get(name, "") for name in TEXTS}
    else:
        shown["ref"] = shown["ref"] or actions.DEFAULT_REF
    errors = (problem.errors or {}) if problem else {}
    return {"form": shown, "problem": problem, "errors": errors, "why": _why_not(request)}


@page
def new_repository(request: PageRequest) -> HttpResponse:
    request.section = SECTION
    permissions.check_can_train(request.actor, request.project)
    problem = None
    name = request.POST.get("name", "").strip()
    if request.method == "POST":
        try:
            made = actions.define(project=request.project, name=name, by=request.actor, **_fields(request, None))
        except RAISED:
            raise
        except Problem as refused:
            problem = refused
        else:
            messages.success(request, f"{made.name} is defined. Fetch a bundle from it to see whether it answers.")
            return redirect("repository", project=request.project.name, repository=made.name)
    body = {"name": "assistant", "url": "https://git.example.com/team/assistant.git", "token": "…"}
    context = {
        **_form(request, None, problem),
        "name": name,
        "curl": curl("POST", api(request, "repositories/"), body),
    }
    return render(request, "training/new_repository.html", context, status=problem.status if problem else 200)


@page
def repository(request: PageRequest, repository: str) -> HttpResponse:
    """One repository; a POST changes it."""
    request.section = SECTION
    found = find_repository(request.actor, request.project, repository)
    problem = None
    if request.method == "POST":
        permissions.check_can_train(request.actor, request.project)
        try:
            actions.change(repository=found, by=request.actor, **_fields(request, found))
        except RAISED:
            raise
        except Problem as refused:
            problem = refused
        else:
            messages.success(request, f"{found.name} is changed.")
            return redirect("repository", project=request.project.name, repository=found.name)
    context = {
        **_form(request, found, problem),
        "repository": found,
        "fetches": _fetches(request, found),
        "bundles": found.bundles.all()[:JOBS],
        "curl": curl("POST", api(request, f"repositories/{found.name}/fetch/"), {"ref": found.ref}),
    }
    return render(request, "training/repository.html", context, status=problem.status if problem else 200)


@require_POST
@page
def fetch(request: PageRequest, repository: str) -> HttpResponse:
    found = find_repository(request.actor, request.project, repository)
    permissions.check_can_train(request.actor, request.project)
    try:
        job = actions.fetch(repository=found, by=request.actor, ref=request.POST.get("ref", "").strip())
    except RAISED:
        raise
    except Problem as problem:
        messages.error(request, problem.detail)
    else:
        messages.success(request, f"Fetch {job.pk} of {found.name} is queued.")
    return redirect("repository", project=request.project.name, repository=found.name)


@page
def remove_repository(request: PageRequest, repository: str) -> HttpResponse:
    """Asks; a POST removes it."""
    request.section = SECTION
    found = find_repository(request.actor, request.project, repository)
    permissions.check_can_train(request.actor, request.project)
    if request.method != "POST":
        context = {"repository": found, "curl": curl("DELETE", api(request, f"repositories/{found.name}/"))}
        return render(request, "training/remove_repository.html", context)
    actions.remove(repository=found, by=request.actor)
    messages.success(request, f"{found.name} is removed.")
    target = reverse("repositories", kwargs={"project": request.project.name})
    return HttpResponseClientRedirect(target) if request.htmx else redirect(target)
