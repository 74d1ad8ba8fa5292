"""Talk to the bot of an environment, and read a conversation: passed on to its Rasa server."""

from functools import cached_property
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import SessionAuthentication
from accounts.models import Project, project
from accounts.problems import BadRequest
from environments import permissions
from environments.api import chatting
from environments.api.bodies import Typed
from environments.api.end_users import ChatAuthentication, EndUser
from environments.api.guests import Guest
from environments.api.schema import PROJECT, rasa_refusals
from environments.api.scope import find_environment, find_project
from environments.api.views import NativeView
from environments.models import Environment
from environments.names import PRODUCTION
from environments.states import Door

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


class Messages(ConversationView):
    authentication_classes = (ChatAuthentication, SessionAuthentication)

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
        environment, door = self._opened_for(request.user)
        body = MessageBody(data=request.data)
        body.is_valid(raise_exception=True)
        if isinstance(request.user, Guest):
            request.user.check_message(body.validated_data["message"])
        said = chatting.say(environment, self.conversation, body.validated_data["message"], door)
        return Response(said.answers, headers={"X-Model": said.model.name} if said.model else None)

    def _opened_for(self, user: object) -> tuple[Environment, Door]:
        """The environment to talk to, if a person, an end user or a guest may."""
        if isinstance(user, Guest):
            user.check_may_chat(self.request, self.conversation, self.kwargs.get("project"))
            return user.environment, Door.GUEST
        if isinstance(user, EndUser):
            user.check_may_chat(self.conversation)
            return user.environment, Door.END_USER
        permissions.check_can_talk(self.actor, self.project)
        return self.environment(), Door.API


class Tracker(ConversationView):
    @extend_schema(parameters=[ENVIRONMENT, PROJECT], responses={200: OpenApiTypes.OBJECT, **rasa_refusals(403)})
    def get(self, request: Request, **kwargs: str) -> Response:
        """The conversation's tracker as the Rasa server gives it."""
        permissions.check_can_read_conversations(self.actor, self.project)
        environment = self.environment()
        return Response(chatting.tracker(environment, self.conversation))
