"""One search over what a project has: pages, environments, models, jobs, people. What one may not see is not found."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode

from accounts.models import User
from environments import permissions
from environments.models import Environment, Job, Tag, TrainedModel
from environments.pages.access import PageRequest, page

# So many of each kind in the list below the field, and on the page.
FEW, MANY = 5, 20
LONGEST = 200
LONGEST_NUMBER = 18


@dataclass(frozen=True)
class Hit:
    """`about` says in a few words what it is; `color` is that of an environment."""

    url: str
    name: str
    about: str = ""
    color: str = ""


@dataclass(frozen=True)
class Group:
    """Hits of one kind; `url` lists all of them, where a page does."""

    word: str
    icon: str
    hits: list[Hit]
    url: str = ""


def search_for(request: PageRequest, text: str, most: int) -> list[Group]:
    """The groups in which something was found, each with at most `most` hits."""
    groups = (
        _environments(request, text, most),
        _models(request, text, most),
        _jobs(request, text, most),
        _people(request, text, most),
    )
    return [group for group in groups if group.hits]


def _of(request: PageRequest, name: str, *names: object) -> str:
    return reverse(name, args=[request.project.name, *names])


def _environments(request: PageRequest, text: str, most: int) -> Group:
    rows = Environment.objects.visible_to(request.actor, request.project).filter(name__icontains=text)[:most]
    hits = [Hit(_of(request, "environment", row.name), row.name, str(row.kind), row.color) for row in rows]
    return Group("Environments", "layout-grid", hits)


def _models(request: PageRequest, text: str, most: int) -> Group:
    visible = TrainedModel.objects.visible_to(request.actor, request.project)
    tagged = Tag.objects.filter(project=request.project, name=text).values("model")
    found = visible.filter(
        Q(name__icontains=text) | Q(hash__istartswith=text) | Q(model_id__istartswith=text) | Q(pk__in=tagged)
    )
    hits = [
        Hit(_of(request, "model", row.name), row.name, f"Rasa {row.version}, trained {row.trained_at:%Y-%m-%d}")
        for row in found[: most + 1]
    ]
    more = f"{_of(request, 'models')}?{urlencode({'q': text})}" if len(hits) > most else ""
    return Group("Models", "box", hits[:most], more)


def _jobs(request: PageRequest, text: str, most: int) -> Group:
    number = text.removeprefix("job").lstrip(" #")
    named = Q(pk=number) if number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER else Q()
    rows = Job.objects.visible_to(request.actor, request.project)
    found = rows.filter(Q(model_name__icontains=text) | named if named else Q(model_name__icontains=text))
    return Group("Jobs", "zap", [_job(request, row) for row in found.order_by("-pk")[:most]])


def _job(request: PageRequest, job: Job) -> Hit:
    about = f"{job.get_kind_display()}, {job.get_status_display()}, {job.by_name}"
    return Hit(_of(request, "job", job.pk), f"Job {job.pk} {job.model_name}".strip(), about)


def _people(request: PageRequest, text: str, most: int) -> Group:
    if not permissions.can_read_users(request.actor):
        return Group("People", "user", [])
    rows = User.objects.filter(Q(username__icontains=text) | Q(email__icontains=text)).order_by("username")
    hits = [Hit(_of(request, "user", row.username), row.username, row.email) for row in rows[: most + 1]]
    more = f"{_of(request, 'access')}?{urlencode({'q': text})}" if len(hits) > most else ""
    return Group("People", "user", hits[:most], more)


@page
def search(request: PageRequest) -> HttpResponse:
    """What was found: a list below the field to htmx, the whole page without it."""
    text = request.GET.get("q", "").strip()[:LONGEST]
    groups: Iterable[Group] = search_for(request, text, FEW if request.htmx else MANY) if text else []
    template = "search/found.html" if request.htmx else "search/search.html"
    return render(request, template, {"text": text, "groups": groups})


@page
def shortcuts(request: PageRequest) -> HttpResponse:
    """The keys that every page listens to."""
    return render(request, "search/shortcuts.html")
