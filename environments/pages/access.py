"""What every page asks first: is somebody signed in, and may they see this project."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts.actor import Actor
from accounts.authentication import actor_of
from accounts.models import Project
from environments.api.scope import find_project

LAST_PROJECT = "project"


class PageRequest(HttpRequest):
    """A request that `page` let through. `htmx` is true where a part of a page is asked for; `section` is the entry
    of the rail that a page belongs to, where it is not one itself."""

    actor: Actor
    project: Project
    section: str
    htmx: HtmxDetails


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(redirect_to_login("/").url)
    return redirect_to_login(request.get_full_path())


def page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page of a project: signed out goes to the sign-in, an outsider finds nothing."""

    @wraps(view)
    def wrapper(request: Any, project: str, **names: str) -> HttpResponse:
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        request.project = find_project(actor_of(request), project)
        if request.session.get(LAST_PROJECT) != project:
            request.session[LAST_PROJECT] = project
        return view(request, **names)

    return wrapper
