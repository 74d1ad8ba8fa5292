"""Bundles: Rasa projects to train from."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from environments import permissions
from environments.actions import bundles
from environments.api import uploads
from environments.api.schema import PAGE, paged, refusals
from environments.api.scope import find_bundle
from environments.api.v1.paging import page
from environments.api.views import NativeView
from environments.models import Bundle
from environments.receiving import receive_bundle


class BundleCountsSerializer(serializers.Serializer[Any]):
    """Of the training data: intents that have examples, the examples, stories, rules and flows."""

    intents = serializers.IntegerField()
    examples = serializers.IntegerField()
    stories = serializers.IntegerField()
    rules = serializers.IntegerField()
    flows = serializers.IntegerField()


class BundleSerializer(serializers.Serializer[Bundle]):
    """A Rasa project. `hash` is the SHA-256 of the archive as it was sent, `files` the paths in it."""

    id = serializers.CharField(source="pk")
    hash = serializers.CharField()
    size = serializers.IntegerField(help_text="bytes")
    created_at = serializers.DateTimeField()
    by = serializers.CharField(source="by_name")
    files = serializers.ListField(child=serializers.CharField())
    counts = BundleCountsSerializer()
    commit = serializers.SerializerMethodField()

    def get_commit(self, bundle: Bundle) -> str | None:
        return bundle.commit or None


UPLOAD = inline_serializer(
    "BundleUpload",
    fields={
        "commit": serializers.CharField(required=False),
        "bundle": serializers.FileField(help_text="zip or tar.gz of a Rasa project"),
    },
)


class Bundles(NativeView):
    @extend_schema(parameters=PAGE, responses={200: paged(BundleSerializer), **refusals(403)})
    def get(self, request: Request) -> Response:
        """The bundles of the project, newest first."""
        permissions.check_can_read_training(self.actor, self.project)
        rows = Bundle.objects.visible_to(self.actor, self.project)
        return Response(page(request, rows, lambda found: [BundleSerializer(row).data for row in found]))

    @extend_schema(
        parameters=[
            OpenApiParameter("commit", description="the version it was packed from; or a form field before it")
        ],
        request={"multipart/form-data": UPLOAD},
        responses={
            200: BundleSerializer,
            201: BundleSerializer,
            **refusals(403, 411, 413, 422, 507),
        },
    )
    def post(self, request: Request) -> Response:
        """Send a Rasa project to train from: domain, config, and nlu, stories, rules or flows.

        200 with the bundle where the same bytes are there already.
        """
        bundles.check_can_register(self.actor, self.project)
        with uploads.receive(request, field="bundle", max_bytes=settings.MAX_BUNDLE_BYTES) as upload:
            commit = upload.fields.get("commit", [request.query_params.get("commit", "")])[-1]
            received = receive_bundle(project=self.project, stream=upload, by=self.actor, commit=commit)
        return Response(BundleSerializer(received.bundle).data, status=201 if received.created else 200)


class OneBundle(NativeView):
    @extend_schema(responses={200: BundleSerializer, **refusals(403)})
    def get(self, request: Request, bundle: str) -> Response:
        """One bundle."""
        return Response(BundleSerializer(find_bundle(self.actor, self.project, bundle)).data)
