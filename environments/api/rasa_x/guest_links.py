"""The guest link as Rasa X shows it, changes it, and lets a guest in."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.problems import NotFound, Unauthorized
from environments import permissions
from environments.actions import guest_links
from environments.api import guests
from environments.api.bodies import Typed
from environments.api.rasa_x.installation import OpenView
from environments.api.schema import PROJECT, rasa_refusals, rasa_refusals_to_anybody
from environments.api.scope import find_environment
from environments.api.views import NativeView
from environments.models import ChatToken
from environments.names import PRODUCTION

# The year 9999.
LATEST = 253_402_300_799


class LinkBody(Typed):
    """Other members are passed over. `expires` in seconds since 1970, null for never; a time gone by ends the link.

    Without `chat_token` a new one is made, and the one before ends; all else that is absent stays as it is.
    """

    bot_name = serializers.CharField(required=False, allow_blank=True, max_length=100)
    description = serializers.CharField(required=False, allow_blank=True, max_length=1000)
    expires = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=LATEST)
    chat_token = serializers.CharField(required=False, allow_null=True, trim_whitespace=False, max_length=200)
    environment = serializers.CharField(required=False, trim_whitespace=False)


class LinkSerializer(serializers.Serializer[Any]):
    """`/guest/conversations/{environment}/{chat_token}` is the page."""

    bot_name = serializers.CharField()
    description = serializers.CharField()
    expires = serializers.IntegerField(allow_null=True)
    chat_token = serializers.CharField()
    environment = serializers.CharField()


class GuestBody(Typed):
    chat_token = serializers.CharField(trim_whitespace=False, max_length=200)


class GuestSerializer(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    conversation_id = serializers.CharField()


def _shown(link: ChatToken) -> dict[str, Any]:
    return {
        "bot_name": link.bot_name,
        "description": link.description,
        "expires": int(link.expires_at.timestamp()) if link.expires_at else None,
        "chat_token": link.token,
        "environment": link.environment.name,
    }


class ChatTokenView(NativeView):
    def link(self) -> ChatToken | None:
        return ChatToken.objects.select_related("environment").filter(project=self.project).first()

    @extend_schema(parameters=[PROJECT], responses={200: LinkSerializer, **rasa_refusals(403)})
    def get(self, request: Request) -> Response:
        """The guest link of the project."""
        permissions.check_can_talk(self.actor, self.project)
        link = self.link()
        if link is None:
            raise NotFound("There is no guest link yet. PUT one.")
        return Response(_shown(link))

    @extend_schema(parameters=[PROJECT], request=LinkBody, responses={200: LinkSerializer, **rasa_refusals(403, 415)})
    def put(self, request: Request) -> Response:
        """Make the guest link, or change it. Whoever has it may talk to the bot of the environment (`production`)."""
        permissions.check_can_write_guest_link(self.actor, self.project)
        body = LinkBody(data=request.data)
        body.is_valid(raise_exception=True)
        members = dict(body.validated_data)
        link = self.link()
        name = members.pop("environment", link.environment.name if link else PRODUCTION)
        if "expires" in members:
            expires = members.pop("expires")
            members["expires_at"] = None if expires is None else datetime.fromtimestamp(expires, UTC)
        token = members.pop("chat_token", None) or ""
        environment = find_environment(self.actor, self.project, name)
        made = guest_links.put(project=self.project, environment=environment, by=self.actor, token=token, **members)
        return Response(_shown(made))


class GuestView(OpenView):
    @extend_schema(auth=[], request=GuestBody, responses={200: GuestSerializer, **rasa_refusals_to_anybody(401, 415)})
    def post(self, request: Request) -> Response:
        """Let a guest in: a token that opens `POST …/conversations/{conversation_id}/messages` alone, for eight hours
        or until the link ends."""
        body = GuestBody(data=request.data)
        body.is_valid(raise_exception=True)
        link = guests.link_of(body.validated_data["chat_token"])
        if link is None:
            raise Unauthorized("This guest link is unknown, expired or replaced. Ask for the new one.")
        conversation = guests.new_conversation()
        return Response({"access_token": guests.issue(link, conversation), "conversation_id": conversation})
