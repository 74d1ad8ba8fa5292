"""Answers to everything that went wrong: problem documents, Rasa bodies or pages, chosen by the path."""

import logging
import secrets
import sys
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings

from accounts import problems
from accounts.actor import API, RASA_X
from accounts.authentication import door
from accounts.problems import Problem
from accounts.scrubbing import scrub_shapes
from controlplane.requests import TooManyBodies
from environments import RASA_X_VERSION
from environments.errors import DatabaseAway

logger = logging.getLogger(__name__)


def rasa_body(problem: Problem) -> dict[str, Any]:
    """The error body of a Rasa server (rasa-facts, section 4), which clients of Rasa X know."""
    body: dict[str, Any] = {
        "version": RASA_X_VERSION,
        "status": "failure",
        "message": problem.detail,
        "reason": problem.reason,
        "details": {"type": f"/problems/{problem.code}", **problem.data},
        "help": None,
        "code": problem.status,
    }
    if problem.errors:
        body["details"]["errors"] = problem.errors
    if problem.status == 401:
        body |= {"exception": "Unauthorized", "reasons": [problem.detail]}
    return body


def _hide_secrets(problem: Problem) -> None:
    """A sentence may repeat a name that was sent, and people send tokens in the wrong place."""
    problem.detail = scrub_shapes(problem.detail)
    problem.data = _without_secrets(problem.data)
    problem.errors = _without_secrets(problem.errors)


def _without_secrets(value: Any) -> Any:
    match value:
        case str():
            return scrub_shapes(value)
        case dict():
            return {_without_secrets(name): _without_secrets(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_without_secrets(inner) for inner in value]
    return value


def api_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """The problem in the shape of the family that `request` belongs to."""
    _hide_secrets(problem)
    if door(request) == RASA_X:
        response: HttpResponse = JsonResponse(rasa_body(problem), status=problem.status)
    else:
        document = problem.document(scrub_shapes(request.path))
        response = JsonResponse(document, status=problem.status, content_type="application/problem+json")
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def _field_errors(detail: Any, path: str = "") -> dict[str, list[str]]:
    """DRF's nested errors as `{path: sentences}`; what belongs to no field stands under the empty path."""
    if isinstance(detail, dict):
        flat: dict[str, list[str]] = {}
        for name, inner in detail.items():
            own = "" if name == api_settings.NON_FIELD_ERRORS_KEY else str(name)
            flat |= _field_errors(inner, ".".join(part for part in (path, own) if part))
        return flat
    sentences = detail if isinstance(detail, list) else [detail]
    return {path: [str(sentence) for sentence in sentences if sentence]}


def _invalid_fields(error: exceptions.ValidationError) -> Problem:
    errors = _field_errors(error.detail)
    sentences = [f"{field}: {' '.join(texts)}" if field else " ".join(texts) for field, texts in errors.items()]
    return problems.InvalidFields("; ".join(sentences), errors=errors)


def _from_drf(error: exceptions.APIException) -> Problem:
    match error:
        case exceptions.ValidationError():
            return _invalid_fields(error)
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return problems.Unauthorized()
        case exceptions.PermissionDenied():
            return problems.CsrfFailed("The request was refused. Reload the page and try again.")
        case exceptions.MethodNotAllowed():
            return problems.MethodNotAllowed(str(error.detail))
        case exceptions.UnsupportedMediaType():
            return problems.UnsupportedMediaType(str(error.detail))
    return problems.BadRequest(str(error.detail))


def _unread(error: BaseException | None) -> Problem:
    """Why a body could not be read: Django wraps the reason, at times twice."""
    while error is not None:
        if isinstance(error, TooManyBodies):
            return problems.Busy(str(error))
        error = error.__cause__
    return problems.BadRequest("The body broke off. Send it again.")


def as_problem(error: Exception) -> Problem | None:
    """The problem that an exception of Django or DRF stands for; None for a bug."""
    match error:
        case Problem():
            return error
        case exceptions.APIException():
            return _from_drf(error)
        case Http404():
            return problems.NotFound("There is nothing at this address.")
        case PermissionDenied():
            return problems.CsrfFailed("The request was refused. Reload the page and try again.")
        case UnreadablePostError():
            return _unread(error)
        case RequestDataTooBig():
            return problems.BodyTooLarge(f"A body holds at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes here.")
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | HttpResponse | None:
    """DRF's: known refusals become problems, a bug goes on to `server_error`."""
    problem = as_problem(error)
    return api_response(problem, context["request"]._request) if problem else None


def is_api(request: HttpRequest) -> bool:
    return door(request) in (API, RASA_X)


def answer(problem: Problem, request: HttpRequest) -> HttpResponse:
    """The problem as JSON under the API, as a page elsewhere."""
    if is_api(request):
        return api_response(problem, request)
    _hide_secrets(problem)
    context = {"problem": problem, "incident": problem.data.get("incident") or _told(problem, request)}
    response = render(request, "problem.html", context, status=problem.status)
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(problems.NotFound("There is nothing at this address."), request)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(as_problem(exception) or problems.CsrfFailed("Reload the page and try again."), request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(as_problem(exception) or problems.BadRequest("The request could not be understood."), request)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    return answer(problems.CsrfFailed("Reload the page and try again."), request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Called while the exception is handled, and logged already."""
    error = sys.exc_info()[1]
    if isinstance(error, OperationalError | InterfaceError):
        away = DatabaseAway("The database does not answer now. Try again.", headers={"Retry-After": "5"})
        return answer(away, request)
    problem = as_problem(error) if isinstance(error, Exception) else None
    return answer(problem or _incident(request), request)


def _told(problem: Problem, request: HttpRequest) -> str:
    """The name under which the log has what this page says, so that who is asked for help finds it."""
    incident = secrets.token_hex(4)
    path = scrub_shapes(request.path)
    logger.info("Incident %s: %s %s: %s %s", incident, request.method, path, problem.status, problem.code)
    return incident


def _incident(request: HttpRequest) -> Problem:
    """What is told of a bug: the name under which the log has it. Its traceback is logged right after this."""
    incident = secrets.token_hex(4)
    logger.error("Incident %s: %s %s", incident, request.method, request.path)
    return problems.InternalError(
        f"This is a fault of the control plane; its log has the details under {incident}.", incident=incident
    )


class ProblemMiddleware:
    """Refusals raised by plain views (pages, the serving route)."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return answer(exception, request) if isinstance(exception, Problem) else None
