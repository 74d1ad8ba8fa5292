"""Bundles: Rasa projects to train from."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.problems import BadRequest
from environments import permissions, stored_bundles
from environments.actions import bundles
from environments.actions.bundles import Source
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
    author = serializers.CharField(help_text="of the commit, as Name <mail>")
    message = serializers.CharField(help_text="of the commit")
    ref = serializers.CharField(help_text="the branch or tag that it was taken from")
    repository = serializers.CharField(source="repository.name", allow_null=True, default=None)
    warnings = serializers.ListField(child=serializers.CharField(), help_text="what is odd in it, in sentences")
    removed_at = serializers.DateTimeField(
        allow_null=True, help_text="when its bytes went to save room; the same sent again brings it back"
    )

    def get_commit(self, bundle: Bundle) -> str | None:
        return bundle.commit or None


# What its sender may say of the version it was packed from.
SAID = {
    "commit": "the version it was packed from",
    "author": "who wrote that version",
    "message": "what that version changed",
    "ref": "the branch or tag it is on",
}
UPLOAD = inline_serializer(
    "BundleUpload",
    fields={
        **{name: serializers.CharField(required=False) for name in SAID},
        "bundle": serializers.FileField(help_text="zip or tar.gz of a Rasa project"),
    },
)


def _source(said: dict[str, str]) -> Source:
    return Source(commit=said["commit"], author=said["author"], message=said["message"], ref=said["ref"])


class Bundles(NativeView):
    @extend_schema(parameters=PAGE, responses={200: paged(BundleSerializer), **refusals(403)})
    def get(self, request: Request) -> Response:
        """The bundles of the project, newest first."""
        permissions.check_can_read_training(self.actor, self.project)
        rows = Bundle.objects.visible_to(self.actor, self.project).select_related("repository")
        return Response(page(request, rows, lambda found: [BundleSerializer(row).data for row in found]))

    @extend_schema(
        parameters=[
            OpenApiParameter(name, description=f"{what}; or a form field before the file")
            for name, what in SAID.items()
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
            said = {name: upload.fields.get(name, [request.query_params.get(name, "")])[-1] for name in SAID}
            received = receive_bundle(project=self.project, stream=upload, by=self.actor, source=_source(said))
        return Response(BundleSerializer(received.bundle).data, status=201 if received.created else 200)


class ChangedNamesSerializer(serializers.Serializer[Any]):
    added = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    changed = serializers.ListField(child=serializers.CharField())


class ChangedExamplesSerializer(serializers.Serializer[Any]):
    """The examples of one intent; of many the first are shown."""

    intent = serializers.CharField()
    examples_added = serializers.IntegerField()
    examples_removed = serializers.IntegerField()
    added = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())


class ChangedIntentsSerializer(serializers.Serializer[Any]):
    added = ChangedExamplesSerializer(many=True)
    removed = ChangedExamplesSerializer(many=True)
    changed = ChangedExamplesSerializer(many=True)


class BundleDiffSerializer(serializers.Serializer[Any]):
    """What `b` says that `a` does not (added), the other way round (removed), and otherwise (changed).

    Of `config` and `session` each key that differs, as `{"a": …, "b": …}`.
    """

    a = serializers.CharField()
    b = serializers.CharField()
    intents = ChangedIntentsSerializer()
    stories = ChangedNamesSerializer()
    rules = ChangedNamesSerializer()
    entities = ChangedNamesSerializer()
    slots = ChangedNamesSerializer()
    responses = ChangedNamesSerializer()
    actions = ChangedNamesSerializer()
    forms = ChangedNamesSerializer()
    flows = ChangedNamesSerializer()
    config = serializers.DictField()
    session = serializers.DictField()


class OneBundle(NativeView):
    @extend_schema(responses={200: BundleSerializer, **refusals(403)})
    def get(self, request: Request, bundle: str) -> Response:
        """One bundle."""
        return Response(BundleSerializer(find_bundle(self.actor, self.project, bundle)).data)


class BundleDiff(NativeView):
    @extend_schema(
        parameters=[OpenApiParameter("against", required=True, description="the id of the bundle to compare with")],
        responses={200: BundleDiffSerializer, **refusals(403, 409, 503)},
    )
    def get(self, request: Request, bundle: str) -> Response:
        """What this bundle (`b`) changes against another one (`a`)."""
        b = find_bundle(self.actor, self.project, bundle)
        if "against" not in request.query_params:
            raise BadRequest("against is needed: the id of the bundle to compare with.")
        a = find_bundle(self.actor, self.project, request.query_params["against"])
        return Response({"a": str(a.pk), "b": str(b.pk), **stored_bundles.diff(a, b)})
