"""Talk to the bot of an environment, and read a conversation: passed on to its Rasa server."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Project, project
from accounts.problems import BadRequest, Busy
from environments import permissions
from environments.api import limits
from environments.api.bodies import Typed
from environments.api.schema import PROJECT, rasa_refusals
from environments.api.scope import find_environment, find_project
from environments.api.views import NativeView
from environments.clients.rasa import RasaClient, RasaError, RasaRefused, Status
from environments.errors import EnvironmentUnavailable
from environments.models import Environment, TrainedModel
from environments.names import PRODUCTION

ENVIRONMENT = OpenApiParameter("environment", description="whose bot answers; `production` where it is not named")


class MessageBody(Typed):
    """Other members are passed over: old clients send some."""

    message = serializers.CharField(trim_whitespace=False)


class AnswerSerializer(serializers.Serializer[Any]):
    """What the bot said, as its REST channel gives it: further members hold buttons, images, custom data."""

    recipient_id = serializers.CharField()
    text = serializers.CharField(required=False)


class ConversationView(NativeView):
    """The project is in the path, or in the query; the environment in the query."""

    @cached_property
    def project(self) -> Project:
        named = self.kwargs.get("project") or self.request.query_params.get("project", project.DEFAULT)
        return find_project(self.actor, named)

    def environment(self) -> Environment:
        name = self.request.query_params.get("environment", PRODUCTION)
        return find_environment(self.actor, self.project, name)

    @property
    def conversation(self) -> str:
        """The id as it was sent. `.` and `..` would be another path on the Rasa server."""
        conversation: str = self.kwargs["conversation"]
        if conversation in (".", ".."):
            raise BadRequest(f"{conversation} cannot be the id of a conversation.")
        return conversation


def unavailable(environment: Environment, why: str) -> EnvironmentUnavailable:
    return EnvironmentUnavailable(
        f"{environment.name} cannot answer: {why}", environment=environment.name, headers={"Retry-After": "10"}
    )


@contextmanager
def server_of(environment: Environment) -> Iterator[RasaClient]:
    """The environment's Rasa server; at most so many talk at a time, and its errors become refusals that name the
    environment. Its own words are not repeated."""
    if not environment.url:
        raise unavailable(environment, "no URL is declared for its server.")
    if not limits.CHATS.try_acquire():
        raise Busy("Too many talk at the same time. Try again in a moment.")
    try:
        yield RasaClient(environment.url, environment.rasa_token)
    except RasaRefused as refused:
        cure = " Compare its token with the declared one." if refused.status in (401, 403) else ""
        raise unavailable(environment, f"its server refused with the status {refused.status}.{cure}") from None
    except RasaError as error:
        raise unavailable(environment, str(error)) from None
    finally:
        limits.CHATS.release()


def _loaded(environment: Environment, server: RasaClient) -> Status:
    """What the server has loaded. Without a model it would answer `[]` as if the bot had nothing to say."""
    status = server.status()
    if status is None:
        raise unavailable(environment, "its server has no model loaded. Promote one.")
    return status


def model_name(environment: Environment, model_id: str) -> str | None:
    """The model with this id: one of the environment's history before any other of the project."""
    known = TrainedModel.objects.filter(project_id=environment.project_id, model_id=model_id).order_by("-pk")
    promoted = known.filter(promotions__environment=environment.tag_owner).order_by("-promotions__pk")
    return promoted.values_list("name", flat=True).first() or known.values_list("name", flat=True).first()


def say(environment: Environment, conversation: str, message: str) -> tuple[list[dict[str, Any]], str | None]:
    """What the environment's bot answers, and the name of the model that did."""
    with server_of(environment) as server:
        status = _loaded(environment, server)
        answers = server.send_message(conversation, message)
    return answers, model_name(environment, status.model_id)


class Messages(ConversationView):
    @extend_schema(
        parameters=[ENVIRONMENT, PROJECT],
        request=MessageBody,
        responses={
            200: OpenApiResponse(AnswerSerializer(many=True), description="X-Model names the model that answered"),
            **rasa_refusals(403, 415),
        },
    )
    def post(self, request: Request, **kwargs: str) -> Response:
        """Say something to the bot and get its answers."""
        permissions.check_can_talk(self.actor, self.project)
        environment = self.environment()
        body = MessageBody(data=request.data)
        body.is_valid(raise_exception=True)
        answers, name = say(environment, self.conversation, body.validated_data["message"])
        return Response(answers, headers={"X-Model": name} if name else None)


class Tracker(ConversationView):
    @extend_schema(parameters=[ENVIRONMENT, PROJECT], responses={200: OpenApiTypes.OBJECT, **rasa_refusals(403)})
    def get(self, request: Request, **kwargs: str) -> Response:
        """The conversation's tracker as the Rasa server gives it."""
        permissions.check_can_read_conversations(self.actor, self.project)
        environment = self.environment()
        with server_of(environment) as server:
            _loaded(environment, server)
            return Response(server.tracker(self.conversation))
