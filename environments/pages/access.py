"""What every page asks first: is somebody signed in, and may they see this project."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts.actor import Actor
from accounts.authentication import actor_of
from accounts.models import Project, User
from accounts.problems import Problem
from accounts.sessions import SessionStore
from environments.api.scope import find_project

LAST_PROJECT = "project"


def why_not(check: Callable[..., None], *subjects: Any) -> str:
    """Why a permission check refuses, for the button that is off; empty where it does not."""
    try:
        check(*subjects)
    except Problem as problem:
        return problem.detail
    return ""


class PageRequest(HttpRequest):
    """A request that `page` let through. `htmx` is true where a part of a page is asked for; `section` is the entry
    of the rail that a page belongs to, where it is not one itself."""

    actor: Actor
    project: Project
    section: str
    htmx: HtmxDetails


class OwnRequest(HttpRequest):
    """A request that `own_page` let through: of a user who may have no project."""

    user: User
    session: SessionStore
    actor: Actor
    project: Project | None
    projects: list[Project]


# Credentials that API routes take in the query.
CREDENTIALS = ("token", "api_token")


def way_back(request: HttpRequest) -> str:
    """Where the sign-in leads back to: without credentials that somebody sent to a page, for it would repeat them."""
    query = request.GET.copy()
    for name in CREDENTIALS:
        query.pop(name, None)
    return f"{request.path}?{query.urlencode()}" if query else request.path


def _page_of(request: HttpRequest) -> str:
    """The path of the page that a part was asked for from."""
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    return page.path if page.netloc == request.get_host() and page.path.startswith("/p/") else "/"


def to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(redirect_to_login(_page_of(request)).url)
    return redirect_to_login(way_back(request))


def page_before(request: HttpRequest, otherwise: str, *names: str) -> str:
    """The page that the form was on (`next`), if it is one of ours; else the page named `otherwise`."""
    address = request.POST.get("next", "")
    safe = address.startswith("/p/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if safe else reverse(otherwise, args=names)


def own_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page of one's own, which is of no project: the rail leads back to the one last used."""

    @wraps(view)
    def wrapper(request: Any, **names: str) -> HttpResponse:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        actor = actor_of(request)
        request.projects = [project for project in Project.objects.all() if actor.sees(project)]
        last = request.session.get(LAST_PROJECT)
        first = next(iter(request.projects), None)
        request.project = next((one for one in request.projects if one.name == last), first)
        return view(request, **names)

    return wrapper


def page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page of a project: signed out goes to the sign-in, an outsider finds nothing."""

    @wraps(view)
    def wrapper(request: Any, project: str, **names: str) -> HttpResponse:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        request.project = find_project(actor_of(request), project)
        if request.session.get(LAST_PROJECT) != project:
            request.session[LAST_PROJECT] = project
        return view(request, **names)

    return wrapper
