"""What every request passes: the strict Content-Security-Policy, text that can be stored, paths with or without final
slash, and the early answer to Rasa servers."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponseBase

from accounts.problems import Problem
from controlplane import errors
from environments.api.rasa_x import pulls

Handler = Callable[[HttpRequest], HttpResponseBase]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def content_security_policy(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

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


def canonical_path(path: str) -> str:
    """The path as `urls.py` spells it: native routes end in a slash, Rasa X routes and probes do not."""
    if not path.startswith(("/api/", "/models/", "/conversations/", "/healthz/", "/readyz/")):
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
            return errors.answer(problem, request)
        return get_response(request) if answer is None else answer

    return middleware
