"""Webhooks: where notifications go, what was sent there, a test, a letter once more."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.problems import BadRequest
from environments import permissions
from environments.actions import deliveries, webhooks
from environments.api import bodies, waits
from environments.api.bodies import Body
from environments.api.schema import PAGE, WAIT, paged, refusals
from environments.api.scope import find_delivery, find_webhook
from environments.api.v1.paging import page
from environments.api.views import NativeView
from environments.models import Delivery, Webhook
from environments.states import DeliveryStatus, Event, WebhookKind, choices


class WebhookSerializer(serializers.Serializer[Webhook]):
    """Where notifications go. `target` is shown without what is secret of it. Empty `events` and `environments`: all.
    `failures` counts tries in a row that the target took nothing; until `rests_until` it is left alone."""

    id = serializers.CharField(source="pk")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices(WebhookKind))
    target = serializers.CharField(source="shown_target")
    events = serializers.ListField(child=serializers.CharField())
    environments = serializers.ListField(child=serializers.CharField())
    enabled = serializers.BooleanField()
    failures = serializers.IntegerField()
    rests_until = serializers.DateTimeField(allow_null=True)
    by = serializers.CharField(source="by_name")
    created_at = serializers.DateTimeField()


class NewWebhookSerializer(WebhookSerializer):
    """`secret` is shown where it is made and never again; null where none was."""

    secret = serializers.CharField(allow_null=True)


class DeliverySerializer(serializers.Serializer[Delivery]):
    """A notification on its way to one target. `payload` is what it tells; `response_status` and `error` are of the
    last try, `next_at` is when the next one is due."""

    id = serializers.CharField(source="pk")
    event = serializers.ChoiceField(choices(Event))
    status = serializers.ChoiceField(choices(DeliveryStatus))
    attempts = serializers.IntegerField()
    next_at = serializers.DateTimeField(allow_null=True)
    response_status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    payload = serializers.DictField()


class _Members(Body):
    name = serializers.CharField(max_length=webhooks.MAX_NAME)
    target = serializers.CharField(trim_whitespace=False, help_text="a URL; of the kind email an address")
    events = serializers.ListField(
        child=serializers.ChoiceField([event.value for event in webhooks.EVENTS]),
        required=False,
        help_text="empty: all",
    )
    environments = serializers.ListField(
        child=serializers.CharField(trim_whitespace=False),
        required=False,
        help_text="empty: all; what is of no environment is told all the same",
    )
    enabled = serializers.BooleanField(required=False)


class WebhookBody(_Members):
    kind = serializers.ChoiceField(choices(WebhookKind))


class WebhookChangeBody(_Members):
    """What is left out stays as it is."""

    name = serializers.CharField(max_length=webhooks.MAX_NAME, required=False)
    target = serializers.CharField(required=False, trim_whitespace=False)
    new_secret = serializers.BooleanField(required=False, help_text="sign with another secret from now on")


def _with_secret(webhook: Webhook, *, shown: bool) -> dict[str, Any]:
    return {**WebhookSerializer(webhook).data, "secret": webhook.secret or None if shown else None}


class Webhooks(NativeView):
    @extend_schema(parameters=PAGE, responses={200: paged(WebhookSerializer), **refusals(403)})
    def get(self, request: Request) -> Response:
        """The webhooks of the project, newest first."""
        permissions.check_can_read_settings(self.actor, self.project)
        rows = Webhook.objects.visible_to(self.actor, self.project)
        return Response(page(request, rows, lambda found: [WebhookSerializer(row).data for row in found]))

    @extend_schema(request=WebhookBody, responses={201: NewWebhookSerializer, **refusals(403, 409, 415)})
    def post(self, request: Request) -> Response:
        """Have notifications sent somewhere: signed JSON to a URL, a text to an incoming webhook as Slack has them, or
        a mail. You must be allowed to read what it will tell."""
        permissions.check_can_write_settings(self.actor, self.project)
        members = bodies.read(request, WebhookBody)
        kind = WebhookKind(members.pop("kind"))
        webhook = webhooks.create(project=self.project, by=self.actor, kind=kind, **members)
        return Response(_with_secret(webhook, shown=True), status=201)


class OneWebhook(NativeView):
    @extend_schema(responses={200: WebhookSerializer, **refusals(403)})
    def get(self, request: Request, webhook: str) -> Response:
        """One webhook."""
        return Response(WebhookSerializer(find_webhook(self.actor, self.project, webhook)).data)

    @extend_schema(request=WebhookChangeBody, responses={200: NewWebhookSerializer, **refusals(403, 409, 415)})
    def patch(self, request: Request, webhook: str) -> Response:
        """Change it. Switched off, it is sent nothing, and what waits is dropped."""
        found = find_webhook(self.actor, self.project, webhook)
        permissions.check_can_write_settings(self.actor, self.project)
        members = bodies.read(request, WebhookChangeBody)
        renews = members.pop("new_secret", False)
        if members:
            found = webhooks.change(webhook=found, by=self.actor, **members)
        if renews:
            found = webhooks.renew_secret(webhook=found, by=self.actor)
        return Response(_with_secret(found, shown=renews))

    @extend_schema(responses={204: None, **refusals(403)})
    def delete(self, request: Request, webhook: str) -> Response:
        """Send nothing there any more, what waits included."""
        found = find_webhook(self.actor, self.project, webhook)
        webhooks.remove(webhook=found, by=self.actor)
        return Response(status=204)


class WebhookTest(NativeView):
    @extend_schema(parameters=[WAIT], request=None, responses={201: DeliverySerializer, **refusals(403, 409)})
    def post(self, request: Request, webhook: str) -> Response:
        """Send a test there, once; with `wait` the answer is held until it arrived or failed."""
        found = find_webhook(self.actor, self.project, webhook)
        waits.seconds_of(request)
        delivery = deliveries.test(webhook=found, by=self.actor)
        return Response(_waited_for(request, delivery), status=201)


class Deliveries(NativeView):
    @extend_schema(
        parameters=[*PAGE, OpenApiParameter("status", enum=[status.value for status in DeliveryStatus])],
        responses={200: paged(DeliverySerializer), **refusals(403)},
    )
    def get(self, request: Request, webhook: str) -> Response:
        """What was sent there in the last 30 days, and what waits, newest first."""
        rows = Delivery.objects.filter(webhook=find_webhook(self.actor, self.project, webhook))
        status = request.query_params.get("status")
        if status is not None:
            if status not in list(DeliveryStatus):
                raise BadRequest(f"status is one of {', '.join(DeliveryStatus)}.")
            rows = rows.filter(status=status)
        return Response(page(request, rows, lambda found: [DeliverySerializer(row).data for row in found]))


class Redelivery(NativeView):
    @extend_schema(parameters=[WAIT], request=None, responses={200: DeliverySerializer, **refusals(403, 409)})
    def post(self, request: Request, webhook: str, delivery: str) -> Response:
        """Send one again that arrived or failed, with the id it had; with `wait` the answer is held until its next
        try is over."""
        found = find_delivery(find_webhook(self.actor, self.project, webhook), delivery)
        waits.seconds_of(request)
        again = deliveries.redeliver(delivery=found, by=self.actor)
        return Response(_waited_for(request, again))


def _waited_for(request: Request, delivery: Delivery) -> dict[str, Any]:
    """The delivery, after its next try if that is waited for."""
    rows = Delivery.objects.filter(pk=delivery.pk)
    untried = rows.filter(status=DeliveryStatus.WAITING, error="", response_status=None)
    waits.hold(request, finished=lambda: not untried.exists())
    told: dict[str, Any] = DeliverySerializer(rows.first() or delivery).data
    return told
