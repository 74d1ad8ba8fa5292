"""Retention: the rules that say which models, bundles and logs are kept, and what they would take away."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.problems import BadRequest
from environments import permissions
from environments.actions import retention, retention_plans
from environments.actions.retention_plans import BUNDLE, MODEL, Item, Plan, Rules
from environments.api import bodies
from environments.api.bodies import Body
from environments.api.schema import PAGE, refusals
from environments.api.scope import is_id
from environments.api.v1.paging import limit_of
from environments.api.views import NativeView
from environments.models import Retention

MOST: Final = 1_000_000
MOST_DAYS: Final = 36_500
LIMITS: Final = {
    "keep_models": MOST,
    "keep_bundles": MOST,
    "served_within_days": MOST_DAYS,
    "keep_log_days": MOST_DAYS,
    "forget_after_days": MOST_DAYS,
}
KINDS: Final = (MODEL, BUNDLE)


class RetentionSerializer(serializers.Serializer[Retention]):
    """A model or bundle is kept if any rule keeps it; null: no such rule. What carries a tag or is needed is always
    kept."""

    enabled = serializers.BooleanField()
    keep_models = serializers.IntegerField(allow_null=True, help_text="so many of the newest")
    keep_bundles = serializers.IntegerField(allow_null=True, help_text="so many of the newest")
    served_within_days = serializers.IntegerField(allow_null=True, help_text="models that served so lately")
    keep_log_days = serializers.IntegerField(allow_null=True, help_text="logs of jobs that ended so lately")
    forget_after_days = serializers.IntegerField(allow_null=True, help_text="what was said to bots, when it is so old")


class RetentionBody(Body):
    """What is left out is no rule."""

    enabled = serializers.BooleanField()
    keep_models = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MOST)
    keep_bundles = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MOST)
    served_within_days = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MOST_DAYS)
    keep_log_days = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MOST_DAYS)
    forget_after_days = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MOST_DAYS)


class RetentionSumSerializer(serializers.Serializer[Any]):
    going = serializers.IntegerField()
    kept = serializers.IntegerField()
    frees = serializers.IntegerField(help_text="bytes")


class RetentionLogsSerializer(serializers.Serializer[Any]):
    """Of how many jobs."""

    going = serializers.IntegerField()
    kept = serializers.IntegerField()


class RetentionItemSerializer(serializers.Serializer[Item]):
    """`name` is the model's, or the bundle's id. `frees` is 0 where another project has the same bytes. `reasons` say
    why it is kept."""

    kind = serializers.ChoiceField(KINDS)
    name = serializers.CharField()
    size = serializers.IntegerField(help_text="bytes")
    since = serializers.DateTimeField(help_text="when it was registered")
    goes = serializers.BooleanField()
    frees = serializers.IntegerField(help_text="bytes")
    reasons = serializers.ListField(child=serializers.CharField())


class RetentionPreviewSerializer(serializers.Serializer[Any]):
    """`models` and `bundles` count all of them, `results` are a page of them: models, then bundles, newest first."""

    models = RetentionSumSerializer()
    bundles = RetentionSumSerializer()
    logs = RetentionLogsSerializer()
    messages = serializers.IntegerField(help_text="that were said to bots and would be forgotten")
    frees = serializers.IntegerField(help_text="bytes")
    results = RetentionItemSerializer(many=True)
    next = serializers.URLField(allow_null=True)


RULES = [
    OpenApiParameter(name, {"type": "integer", "minimum": 1, "maximum": most}, description="try this rule")
    for name, most in LIMITS.items()
]
GOES = OpenApiParameter("goes", enum=["true", "false"], description="only what goes, or only what is kept")


class RetentionRules(NativeView):
    @extend_schema(responses={200: RetentionSerializer, **refusals(403)})
    def get(self, request: Request) -> Response:
        """The rules of the project. Off, which is where they begin, nothing is ever deleted by itself."""
        permissions.check_can_read_settings(self.actor, self.project)
        return Response(RetentionSerializer(retention.of(self.project)).data)

    @extend_schema(request=RetentionBody, responses={200: RetentionSerializer, **refusals(403, 415)})
    def put(self, request: Request) -> Response:
        """Change the rules. They are applied each night; look at the preview first. As they delete models, you must be
        allowed to do so by hand; to change when messages are forgotten, that as well."""
        permissions.check_can_write_retention(self.actor, self.project)
        members = bodies.read(request, RetentionBody)
        enabled = members.pop("enabled")
        changed = retention.put(project=self.project, by=self.actor, enabled=enabled, rules=Rules(**members))
        return Response(RetentionSerializer(changed).data)


class RetentionPreview(NativeView):
    @extend_schema(parameters=[*RULES, GOES, *PAGE], responses={200: RetentionPreviewSerializer, **refusals(403)})
    def get(self, request: Request) -> Response:
        """What would go, why all else is kept, and how many bytes that frees; by the rules of the project, or by those
        of the query, which need not be enabled. Nothing is changed."""
        permissions.check_can_preview_retention(self.actor, self.project)
        plan = retention.preview(project=self.project, by=self.actor, rules=rules_of(request.query_params))
        items, following = _page(request, _asked(request, plan))
        document = {
            "models": _sum(plan.of(MODEL)),
            "bundles": _sum(plan.of(BUNDLE)),
            "logs": plan.logs,
            "messages": plan.messages,
            "frees": plan.frees,
            "results": items,
            "next": following,
        }
        return Response(RetentionPreviewSerializer(document).data)


def rules_of(query: Any) -> Rules | None:
    """The rules that a query tries; None where it names none. Raises BadRequest."""
    rules = Rules()
    for name, most in LIMITS.items():
        text = query.get(name, "")
        if text:
            if not is_id(text) or not 1 <= int(text) <= most:
                raise BadRequest(f"{name} is a whole number from 1 to {most}.")
            rules = replace(rules, **{name: int(text)})
    return rules if any(name in query for name in LIMITS) else None


def _asked(request: Request, plan: Plan) -> Iterable[Item]:
    goes = request.query_params.get("goes")
    if goes not in (None, "true", "false"):
        raise BadRequest("goes is true or false.")
    return plan.items if goes is None else (item for item in plan.items if item.goes == (goes == "true"))


def _sum(plan: retention_plans.Plan) -> dict[str, int]:
    return {"going": len(plan.going), "kept": len(plan.items) - len(plan.going), "frees": plan.frees}


def _page(request: Request, items: Iterable[Item]) -> tuple[list[Item], str | None]:
    """A part of the plan, which is made anew for each: the cursor is how many came before."""
    limit = limit_of(request)
    text = request.query_params.get("cursor", "0")
    if not is_id(text):
        raise BadRequest("cursor is what `next` of the page before gave.")
    begin, found = int(text), list(items)
    if begin + limit >= len(found):
        return found[begin:], None
    query = request.query_params.copy()
    query["cursor"] = str(begin + limit)
    return found[begin : begin + limit], request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
