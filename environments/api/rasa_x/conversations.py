"""What was said to bots, as Rasa X lists it. Stock Rasa has no list: this one is of what went through here."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.problems import NotFound
from environments import permissions
from environments.actions import conversations
from environments.api import chatting, times
from environments.api.conversation_filters import Filters, Summary, environment_of, share, summaries
from environments.api.conversations import ConversationView
from environments.api.rasa_x.lists import LIST, part
from environments.api.schema import PROJECT, rasa_refusals
from environments.api.views import RasaXView
from environments.models import Environment, Message
from environments.models.message import MessageQuerySet

CHUNK = 500
CHANNEL = "rest"
ENVIRONMENT = OpenApiParameter("environment", description="without it, all")
WHERE = OpenApiParameter("environment", description="without it, the one in which it was talked last")
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
FILTERS = [
    ENVIRONMENT,
    OpenApiParameter("model", description="the name of the model that answered"),
    OpenApiParameter("intent", description="that a message was understood as"),
    OpenApiParameter("minimum_confidence", SHARE, description="of the intent"),
    OpenApiParameter("maximum_confidence", SHARE, description="of the intent"),
    OpenApiParameter("since", OpenApiTypes.DATETIME),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="not included"),
    OpenApiParameter("text", description="a part of what was said"),
]


class ConversationSerializer(serializers.Serializer[Any]):
    """`latest_event_time` in seconds since 1970; what the bot understood and did is null or empty until its server was
    asked for it."""

    conversation_id = serializers.CharField()
    environment = serializers.CharField()
    latest_event_time = serializers.FloatField()
    latest_input_channel = serializers.CharField()
    intents = serializers.ListField(child=serializers.CharField())
    actions = serializers.ListField(child=serializers.CharField())
    policies = serializers.ListField(child=serializers.CharField())
    minimum_action_confidence = serializers.FloatField(allow_null=True)
    minimum_intent_confidence = serializers.FloatField(allow_null=True)
    n_user_messages = serializers.IntegerField()
    model = serializers.CharField(allow_null=True, help_text="that answered the last message that was asked for")


def told(summary: Summary) -> dict[str, Any]:
    message = summary.message
    return {
        "conversation_id": message.conversation,
        "environment": message.environment.name,
        "latest_event_time": (summary.last_at or message.at).timestamp(),
        "latest_input_channel": CHANNEL,
        "intents": summary.intents,
        "actions": summary.actions,
        "policies": summary.policies,
        "minimum_action_confidence": summary.least_action_confidence,
        "minimum_intent_confidence": summary.least_confidence,
        "n_user_messages": summary.messages,
        "model": message.model.name if message.model else None,
    }


class ConversationsView(RasaXView):
    @extend_schema(
        parameters=[*FILTERS, *LIST], responses={200: ConversationSerializer(many=True), **rasa_refusals(403)}
    )
    def get(self, request: Request, **kwargs: str) -> Response:
        """The conversations that went through the chat of the control plane, the last first. One is found by a message
        in it that is as all parameters ask."""
        permissions.check_can_read_conversations(self.actor, self.project)
        asked = self._filters().of(self.project)
        rows = Message.objects.visible_to(self.actor, self.project)
        total = rows.filter(asked).order_by().values("environment", "conversation").distinct().count()
        page, headers = part(request, rows.last_of_each(asked), total)
        return Response([told(summary) for chunk in _chunks(page) for summary in summaries(chunk)], headers=headers)

    def _filters(self) -> Filters:
        query = self.request.query_params
        return Filters(
            environment=environment_of(query, self.actor, self.project),
            model=query.get("model", ""),
            intent=query.get("intent", ""),
            least=share(query, "minimum_confidence"),
            most=share(query, "maximum_confidence"),
            since=times.parse(query["since"], "since") if "since" in query else None,
            until=times.parse(query["until"], "until") if "until" in query else None,
            text=query.get("text", ""),
        )


def _chunks(page: "QuerySet[Message]") -> list[MessageQuerySet]:
    keys = list(page.values_list("pk", flat=True))
    parts = [keys[at : at + CHUNK] for at in range(0, len(keys), CHUNK)]
    return [Message.objects.filter(pk__in=part).order_by("-at", "-pk") for part in parts]


class OneConversationView(ConversationView):
    def _where(self) -> Environment:
        """The environment that is asked for, else the one in which it was talked last."""
        asked = environment_of(self.request.query_params, self.actor, self.project)
        rows = Message.objects.visible_to(self.actor, self.project).filter(conversation=self.conversation)
        rows = rows.filter(environment=asked) if asked else rows
        last = rows.order_by("-pk").select_related("environment__project", "environment__follows").first()
        if last is None:
            where = f" with {asked.name}" if asked else ""
            raise NotFound(f"There is no conversation {self.conversation}{where} that went through the control plane.")
        return last.environment

    @extend_schema(
        parameters=[WHERE, PROJECT],
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, description="the tracker, with the members of the list"),
            **rasa_refusals(403),
        },
    )
    def get(self, request: Request, **kwargs: str) -> Response:
        """One conversation: its whole tracker as its Rasa server gives it, with what the list tells of it."""
        permissions.check_can_read_conversations(self.actor, self.project)
        environment = self._where()
        rows = Message.objects.in_conversation(environment, self.conversation).order_by("-pk")
        listed = told(summaries(rows[:1])[0])
        tracker = chatting.tracker(environment, self.conversation, whole=True)
        return Response({**tracker, **listed})

    @extend_schema(parameters=[WHERE, PROJECT], responses={204: None, **rasa_refusals(403)})
    def delete(self, request: Request, **kwargs: str) -> Response:
        """Forget what was said in it, and the examples that were marked there. The tracker store of its Rasa server
        keeps what it has."""
        permissions.check_can_edit_conversations(self.actor, self.project)
        conversations.delete(environment=self._where(), conversation=self.conversation, by=self.actor)
        return Response(status=204)
