"""The serving route: a Rasa server pulls its model here, and each poll proves what it has loaded.

`GET …/models/tags/{tag}` and the short forms `/models/{project}@{tag}` and `/models/{project}`. Polls come by the
hundred a second, so they are answered before Django looks for a session, and skip DRF. People and scripts download by
tag through the same routes; nothing of theirs is recorded.
"""

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from accounts.authentication import bearer, is_of_a_server, peer_address
from accounts.models.project import DEFAULT as DEFAULT_PROJECT
from accounts.problems import NotFound, Unauthorized
from environments import permissions
from environments.api.archives import archive_response, not_modified
from environments.api.rasa_x.routes import in_project
from environments.api.schema import rasa_refusals
from environments.api.views import RasaXView
from environments.decisions import Answer, Decision
from environments.errors import WrongServiceToken
from environments.metric_families import PollAnswer
from environments.models import TrainedModel
from environments.names import PRODUCTION
from environments.serving import polls, traffic, turned_away

PARAMETERS = [
    OpenApiParameter("token", str, description="Service token; better sent as `Authorization: Bearer`."),
    OpenApiParameter("replica", str, description="The replica's name; the peer address stands for a missing one."),
    OpenApiParameter("environment", str, description="Who polls, with the installation-wide token only."),
    OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="What the process has loaded."),
]
RESPONSES: dict[Any, Any] = {
    (200, "application/gzip"): OpenApiResponse(OpenApiTypes.BINARY, description="The archive, with its ETag"),
    (206, "application/gzip"): OpenApiResponse(OpenApiTypes.BINARY, description="A range of it"),
    304: OpenApiResponse(description="Nothing new"),
    **rasa_refusals(403, 416),
}


def service_token_of(request: HttpRequest) -> str | None:
    """The service token of a Rasa server, from `?token=` or the header; None if the credential is of another kind."""
    token = request.GET.get("token") or bearer(request)
    return token if token and ("token" in request.GET or is_of_a_server(token)) else None


class TagView(RasaXView):
    """The archive of the model that carries a tag, for people and scripts."""

    @extend_schema(parameters=PARAMETERS, responses=RESPONSES)
    def get(self, request: Request, tag: str = PRODUCTION, **kwargs: str) -> HttpResponseBase:
        """Download the model of a tag. With a service token and `If-None-Match` this is a Rasa server's poll."""
        permissions.check_can_read_models(self.actor, self.project)
        model = polls.tagged(self.project, tag)
        if model is None:
            raise no_model(tag)
        return archive_response(request._request, model)

    @extend_schema(parameters=PARAMETERS, responses=RESPONSES)
    def head(self, request: Request, tag: str = PRODUCTION, **kwargs: str) -> HttpResponseBase:
        """The headers of the download alone."""
        return self.get(request, tag, **kwargs)


ROUTES = [
    *in_project("models/tags/<str:tag>", TagView),
    path("models/<str:project>@<str:tag>", TagView.as_view()),
    path("models/<str:project>", TagView.as_view()),
]


def answer(request: HttpRequest) -> HttpResponseBase | None:
    """The answer to a Rasa server; None if the request is not one's."""
    if request.method not in ("GET", "HEAD"):
        return None
    match = next(filter(None, (route.resolve(request.path_info[1:]) for route in ROUTES)), None)
    token = service_token_of(request) if match else None
    if match is None or token is None:
        return None
    return pull(request, token, match.kwargs.get("project", DEFAULT_PROJECT), match.kwargs.get("tag", PRODUCTION))


def no_model(tag: str) -> NotFound:
    return NotFound(f"No model carries the tag {tag}.")


def pull(request: HttpRequest, token: str, project: str, tag: str) -> HttpResponseBase:
    """Answer a Rasa server. A GET with `If-None-Match` of one entity tag is a poll and goes into the ledger."""
    environment = request.GET.get("environment", "")
    address = peer_address(request)
    replica = polls.replica_name(request.GET.get("replica"), address)
    try:
        found = polls.find_pull(token=token, project=project, tag=tag, environment=environment)
    except (Unauthorized, WrongServiceToken):
        turned_away.note(project=project, tag=tag, name=replica, address=address)
        raise
    etag = polls.entity_tag(request.headers.get("If-None-Match"))
    if found.environment is None and etag is not None and polls.keeps(found, etag):
        return not_modified(f'"{etag}"')
    if request.method != "GET" or etag is None or found.environment is None:
        if found.model is None:
            raise no_model(tag)
        return archive_response(request, found.model)
    broke_off = partial(polls.transfer_broke_off, environment=found.environment, name=replica, etag=etag)
    counted = partial(traffic.polled, project, found.environment.name)
    try:
        decision, served = polls.take(
            environment=found.environment,
            pull=found,
            name=replica,
            address=address,
            etag=etag,
            serve=lambda model: archive_response(request, model, broke_off=partial(broke_off, model=model)),
        )
    except Exception:
        counted(PollAnswer.UNAVAILABLE)
        raise
    counted(_as_counted(decision, found.model))
    return served if served is not None else _without_archive(decision, tag, found.model)


def _as_counted(decision: Decision, model: TrainedModel | None) -> PollAnswer:
    if decision.answer is Answer.SERVE:
        wanted = model is not None and decision.model == model.hash
        return PollAnswer.ARCHIVE if wanted else PollAnswer.FALLBACK
    return PollAnswer(decision.answer)


def _without_archive(decision: Decision, tag: str, model: TrainedModel | None) -> HttpResponse:
    match decision.answer:
        case Answer.NO_MODEL:
            raise no_model(tag)
        case Answer.UNAVAILABLE:
            raise polls.unavailable(model)
        case _:
            return not_modified(f'"{decision.record.etag}"')
