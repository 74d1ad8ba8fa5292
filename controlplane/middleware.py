"""What every request passes: headers that guard the pages, those of proxies, text that can be stored, paths with or
without final slash, and the early answer to Rasa servers."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponseBase

from accounts import proxies
from accounts.actor import API, RASA_X
from accounts.authentication import door
from accounts.problems import Problem
from controlplane import errors
from controlplane.fitness import of_this_process
from environments.api.rasa_x import pulls
from environments.metric_families import Route
from environments.serving import traffic

Handler = Callable[[HttpRequest], HttpResponseBase]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


# Pages use none of these, so nothing that found its way into one can.
DENIED = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in DENIED),
    # Neither a browser nor a proxy keeps what somebody saw who was signed in. Archives and static files say otherwise.
    "Cache-Control": "no-store",
}
# What proxies tell of the request that they got.
FORWARDED = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")


def measured(get_response: Handler) -> Handler:
    """Count every request, with how long its answer took."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = get_response(request)
        route: Route = getattr(request, "route", None) or route_of(request)
        traffic.answered(route, response.status_code, time.perf_counter() - began)
        return response

    return middleware


PROBES = ("/healthz", "/readyz", "/metrics")


def route_of(request: HttpRequest) -> Route:
    """The class of a request that is not of a Rasa server."""
    path = request.path_info
    if path in PROBES:
        return Route.PROBE
    if "wait" in request.GET or (request.method == "PUT" and "/evaluations/" in path):
        return Route.WAIT
    if request.META.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
        return Route.UPLOAD
    if path.endswith(("/messages", "/tracker", "/talk/")):
        return Route.CHAT
    if path.startswith(settings.STATIC_URL):
        return Route.STATIC
    return {API: Route.API, RASA_X: Route.RASA_X}.get(door(request), Route.PAGE)


def headers(get_response: Handler) -> Handler:
    # Also over plain HTTP, where browsers do not mind it: a proxy that ends TLS need not say that it did.
    tls = {"Strict-Transport-Security": f"max-age={settings.SECURE_HSTS_SECONDS}"}
    every = HEADERS | (tls if settings.SECURE_HSTS_SECONDS else {})

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        for name, value in every.items():
            response.headers.setdefault(name, value)
        return response

    return middleware


def forwarded(get_response: Handler) -> Handler:
    """Believe the scheme and the host of `X-Forwarded-…` only from a proxy in `TRUSTED_PROXIES`, and of several values
    the last, which is that proxy's own."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        for name in FORWARDED:
            told = request.META.pop(name, None)
            if told and proxies.is_trusted(request.META.get("REMOTE_ADDR", "")):
                request.META[name] = told.rpartition(",")[2].strip()
        return get_response(request)

    return middleware


def fit(get_response: Handler) -> Handler:
    """Answer 503 with the cure while this process does not fit the others or the database. Probes say so themselves,
    and the page that tells it needs its style."""
    always = ("/healthz", "/readyz", settings.STATIC_URL)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        fitness = of_this_process()
        if fitness is None or fitness.problem is None or request.path_info.startswith(always):
            return get_response(request)
        return errors.answer(fitness.problem, request)

    return middleware


def plain_text(get_response: Handler) -> Handler:
    """Refuse NUL in URLs and cookies, which can quote it as `\\000`: PostgreSQL takes it in no text."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path_info:
            raise Http404
        query = request.META.get("QUERY_STRING", "")
        if "%00" in query or "\0" in query:
            raise BadRequest
        if "HTTP_COOKIE" in request.META and any("\0" in value for value in request.COOKIES.values()):
            raise BadRequest
        return get_response(request)

    return middleware


def plain_forms(get_response: Handler) -> Handler:
    """Refuse NUL in what a page's form sends, too. The check for CSRF before has read it; what is exempt from that
    (the API, uploads) reads its own body."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    def process_view(request: HttpRequest, view: Handler, args: Any, kwargs: Any) -> None:
        if request.method != "POST" or getattr(view, "csrf_exempt", False):
            return
        if any("\0" in value for _, values in request.POST.lists() for value in values):
            raise BadRequest

    middleware.process_view = process_view  # type: ignore[attr-defined]
    return middleware


def canonical_path(path: str) -> str:
    """The path as `urls.py` spells it: native routes end in a slash, Rasa X routes and probes do not."""
    if not path.startswith(("/api/", "/models/", "/conversations/", "/healthz/", "/readyz/", "/metrics/")):
        return path
    stripped = path.rstrip("/")
    return f"{stripped}/" if f"{stripped}/".startswith(("/api/v1/", "/api/schema/", "/api/docs/")) else stripped


def final_slash(get_response: Handler) -> Handler:
    """API routes and probes answer with and without the final slash, never by a redirect, which loses a POST's body."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request.path_info = canonical_path(request.path_info)
        return get_response(request)

    return middleware


def rasa_servers(get_response: Handler) -> Handler:
    """Answer Rasa servers before what is for people alone: sessions, CSRF, sign-in, messages."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        try:
            answer = pulls.answer(request)
        except Problem as problem:
            answer = errors.answer(problem, request)
        if answer is None:
            return get_response(request)
        request.route = Route.POLL  # type: ignore[attr-defined]
        return answer

    return middleware
