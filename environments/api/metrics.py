"""`/metrics`, for Prometheus: by token alone."""

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.actor import Actor
from accounts.authentication import BearerAuthentication, actor_of
from environments import metrics, permissions
from environments.api.schema import refusals
from environments.api.views import OneKind

# Version 1.0.0 escapes names, and ours need none; every Prometheus reads this one.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TEXT = OpenApiResponse(OpenApiTypes.STR, description="The text format of Prometheus")


class Collected(Collector):
    """What one actor may read, in the shape that the library writes."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def collect(self) -> list[Metric]:
        return list(metrics.measure(self.actor, timezone.now()))


class Metrics(APIView):
    authentication_classes = [BearerAuthentication]
    content_negotiation_class = OneKind

    @extend_schema(responses={(200, "text/plain"): TEXT, **refusals(403)})
    def get(self, request: Request) -> HttpResponse:
        """The metrics of every project in which you may read environments, for Prometheus. docs/metrics.md explains
        each."""
        actor = actor_of(request)
        permissions.check_can_measure(actor)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Collected(actor))
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE)
