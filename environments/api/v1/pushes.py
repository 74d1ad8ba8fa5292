"""Pushes of git servers (GitHub, Gitea, GitLab), which start pipelines. The signature is the only credential."""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import peer_address
from accounts.models import project
from accounts.problems import BadRequest, BodyTooLarge
from environments.actions import pipeline_pushes
from environments.actions.pipeline_pushes import Signature
from environments.api.schema import signed_refusals
from environments.api.views import OneKind
from environments.models import Pipeline

SIGNED_BY = ("X-Hub-Signature-256", "X-Gitea-Signature")
PREFIX = "sha256="


class RawJson(BaseParser):
    """The bytes of a JSON body as they were signed, bounded."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body: bytes = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge(f"A push holds at most {limit} bytes.")
        return {"body": body}


class PushSerializer(serializers.Serializer[Any]):
    """`run` is the run that the push began, or had begun when it came before; null where it does not count."""

    run = serializers.CharField(allow_null=True)
    detail = serializers.CharField()


class Push(APIView):
    """Asks for no credentials of ours."""

    authentication_classes = []
    permission_classes = [AllowAny]
    parser_classes = [RawJson]
    content_negotiation_class = OneKind

    @extend_schema(
        auth=[],
        request=OpenApiTypes.OBJECT,
        parameters=[
            OpenApiParameter(
                "X-Hub-Signature-256",
                location=OpenApiParameter.HEADER,
                description="`sha256=` and the HMAC-SHA256 of the body with the pipeline's secret, as GitHub and Gitea "
                "send it; GitLab sends the secret in `X-Gitlab-Token` instead",
            )
        ],
        responses={200: PushSerializer, 201: PushSerializer, **signed_refusals(401, 409, 413, 415)},
    )
    def post(self, request: Request, name: str) -> Response:
        """What a git server sends when somebody pushes. The same push again begins nothing."""
        # Of a request without a body there are no data.
        body: bytes = dict(request.data).get("body", b"")
        found = Pipeline.objects.present().told().filter(name=name)
        found = found.filter(project__name=request.query_params.get("project", project.DEFAULT))
        pipeline = pipeline_pushes.check_signed(found.first(), _signature(request), body)
        push = pipeline_pushes.read(_document(body))
        if push is None:
            return Response({"run": None, "detail": "This is no push to a branch: nothing is begun."})
        run, created = pipeline_pushes.start(pipeline=pipeline, push=push, address=peer_address(request._request))
        if run is None:
            return Response({"run": None, "detail": f"{push.branch} is no branch that counts for {name}."})
        told = "began with this push" if created else "began when this push came before"
        return Response({"run": str(run.pk), "detail": f"Run {run.pk} {told}."}, status=201 if created else 200)


def _signature(request: Request) -> Signature:
    signed = next((request.headers[name] for name in SIGNED_BY if name in request.headers), "")
    return Signature(hmac_sha256=signed.removeprefix(PREFIX), token=request.headers.get("X-Gitlab-Token", ""))


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("The push is not JSON. Choose application/json where the git server asks for it.") from None
