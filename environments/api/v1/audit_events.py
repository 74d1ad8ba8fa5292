"""The audit trail: who did what to what, when, from where; as a list or as a file."""

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actions import audit
from accounts.models import AuditEvent
from accounts.problems import BadRequest
from environments import permissions
from environments.api import audit_filters
from environments.api.schema import PAGE, paged, refusals
from environments.api.v1 import audit_exports
from environments.api.v1.paging import page
from environments.api.views import NativeView


class AuditEventSerializer(serializers.Serializer[Any]):
    """`object` is `kind:name`; `before` and `after` hold what changed, never a secret; `token` names the API token."""

    id = serializers.CharField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    action = serializers.CharField()
    object = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    address = serializers.CharField()
    via = serializers.CharField()
    token = serializers.CharField()


FILTERS = [
    OpenApiParameter("actor", description="the user name, or the door where the installation itself acted"),
    OpenApiParameter("action", description="`environment.promote`, or with a final dot all of a kind: `environment.`"),
    OpenApiParameter("object", description="`environment:production`"),
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="RFC 3339; from then on"),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="RFC 3339; before then"),
    OpenApiParameter("format", enum=["json", *audit_exports.FORMS], description="a file of all that match"),
]


def _documents(events: list[AuditEvent]) -> list[Any]:
    return [audit_exports.document(event) for event in events]


class AuditEvents(NativeView):
    @extend_schema(
        parameters=[*PAGE, *FILTERS],
        responses={
            (200, "application/json"): paged(AuditEventSerializer),
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            **refusals(403),
        },
    )
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        """The events of the project, newest first. Those of no project (accounts, tokens, sign-ins) are in `default`.

        `format` gives all that match as one file, and leaves the event `audit.export`.
        """
        permissions.check_can_read_audit(self.actor, self.project)
        filters = audit_filters.read(request.query_params)
        rows = filters.of(self.project)
        form = request.query_params.get("format", "json")
        if form == "json":
            return Response(page(request, rows, _documents, time="at"))
        if form not in audit_exports.FORMS:
            raise BadRequest(f"format is one of json, {', '.join(audit_exports.FORMS)}.")
        response = audit_exports.export(rows, form, f"audit-{self.project.name}")
        audit.export(by=self.actor, project=self.project, form=form, filters=filters.told())
        return response
