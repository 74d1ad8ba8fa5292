"""Train a model as Rasa X did: on what it has, or on what the request brings."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from environments import permissions
from environments.actions import trainings
from environments.api import bodies, uploads
from environments.api.bodies import Body
from environments.api.schema import rasa_refusals
from environments.api.scope import find_bundle
from environments.api.v1.jobs import JobSerializer
from environments.api.views import RasaXView
from environments.errors import UploadMalformed
from environments.models import Bundle
from environments.receiving import receive_bundle

FIELD = "bundle"


class TrainingBody(Body):
    """`bundle` names one that was sent before; without it the newest is trained."""

    bundle = serializers.CharField(required=False)
    config = serializers.CharField(required=False, trim_whitespace=False, allow_blank=True)
    model_name = serializers.CharField(required=False, trim_whitespace=False)
    tags = serializers.ListField(child=serializers.CharField(trim_whitespace=False), required=False)


MULTIPART = {
    "type": "object",
    "properties": {FIELD: {"type": "string", "format": "binary", "description": "zip or tar.gz of a Rasa project"}},
}


class TrainingView(RasaXView):
    @extend_schema(
        request={"application/json": TrainingBody, "multipart/form-data": MULTIPART},
        responses={201: JobSerializer, **rasa_refusals(403, 409, 411, 413, 415, 422, 507)},
    )
    def post(self, request: Request, **kwargs: str) -> Response:
        """Train the newest bundle on the training environment, or the one in the body. No body is needed."""
        permissions.check_can_train(self.actor, self.project)
        members: dict[str, Any] = {}
        if uploads.is_multipart(request):
            members["bundle"] = self._sent(request)
        else:
            members = bodies.read(request, TrainingBody)
            if "bundle" in members:
                members["bundle"] = find_bundle(self.actor, self.project, members["bundle"])
        job = trainings.submit(project=self.project, by=self.actor, **members)
        return Response(JobSerializer(job).data, status=201)

    def _sent(self, request: Request) -> Bundle | None:
        try:
            with uploads.receive(request, field=FIELD, max_bytes=settings.MAX_BUNDLE_BYTES) as upload:
                return receive_bundle(project=self.project, stream=upload, by=self.actor).bundle
        except UploadMalformed as refused:
            # A form with nothing in it is how some clients send no body.
            if refused.data.get("fields") == []:
                return None
            raise
