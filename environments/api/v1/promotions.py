"""Promotions: make one, foresee one, go back, read what became of them, ask what served when."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from environments import diffs, permissions
from environments.actions import promotions
from environments.api import bodies, times, waits
from environments.api.bodies import Body
from environments.api.schema import PAGE, WAIT, ProblemSerializer, paged, refusals
from environments.api.scope import find_environment_or_retired, find_model, find_promotion
from environments.api.v1.models import DiffSerializer
from environments.api.v1.paging import page
from environments.api.views import NativeView
from environments.models import Environment, Promotion, TrainedModel
from environments.states import Origin, PromotionStatus, choices

LONGEST_REASON = 2000


class PromotionSerializer(serializers.Serializer[Promotion]):
    """One recorded change of what an environment serves. `seconds` until it was finished; `replicas` that proved it.

    Of a dry run `id` is null. `restores` is the promotion that a rollback went back to.
    """

    id = serializers.CharField(source="pk", allow_null=True)
    environment = serializers.CharField(source="environment.name")
    model = serializers.CharField(source="model.name", allow_null=True)
    previous_model = serializers.CharField(source="previous_model.name", allow_null=True)
    status = serializers.ChoiceField(choices(PromotionStatus))
    origin = serializers.ChoiceField(choices(Origin))
    by = serializers.CharField(source="by_name")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    replicas = serializers.IntegerField(default=0)
    error_code = serializers.CharField()
    error_detail = serializers.CharField()
    forced = serializers.BooleanField()
    note = serializers.CharField()
    restores = serializers.CharField(source="restores_id", allow_null=True)


class PromotionBody(Body):
    """`model`: null leaves the environment without a model. `expected`: the model you saw there, null for none."""

    model = serializers.CharField(allow_null=True, trim_whitespace=False)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_REASON)
    expected = serializers.CharField(required=False, allow_null=True, trim_whitespace=False)
    force = serializers.BooleanField(default=False)
    dry_run = serializers.BooleanField(default=False)


class DryRunSerializer(serializers.Serializer[Any]):
    would = PromotionSerializer()
    refused = ProblemSerializer(allow_null=True)
    diff = DiffSerializer()


THERE_OR_FORESEEN = PolymorphicProxySerializer(
    "PromotionOrDryRun", [PromotionSerializer, DryRunSerializer], resource_type_field_name=None
)


class RollbackBody(Body):
    """`to`: the promotion whose model is wanted again; without it, the model before the present one."""

    to = serializers.CharField(required=False, trim_whitespace=False)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_REASON)
    expected = serializers.CharField(required=False, allow_null=True, trim_whitespace=False)


class ReasonBody(Body):
    reason = serializers.CharField(max_length=LONGEST_REASON)


class AtSerializer(serializers.Serializer[Any]):
    """What served at `time`: the name of the model and the promotion that put it there, null where there was none."""

    time = serializers.DateTimeField()
    model = serializers.CharField(allow_null=True)
    promotion = serializers.CharField(allow_null=True)


def shown(promotion: Promotion) -> Any:
    """The promotion as the API shows it, read anew with the replicas that proved it."""
    rows = Promotion.objects.told().with_replicas()
    return PromotionSerializer(rows.get(pk=promotion.pk)).data


def outcome_response(outcome: promotions.Outcome) -> Response:
    if outcome.created:  # Nothing proved it yet: it need not be read again.
        return Response(PromotionSerializer(outcome.promotion).data, status=201)
    return Response(shown(outcome.promotion))


class EnvironmentPromotions(NativeView):
    @extend_schema(parameters=PAGE, responses={200: paged(PromotionSerializer), **refusals()})
    def get(self, request: Request, name: str) -> Response:
        """The environment's history, newest first."""
        environment = find_environment_or_retired(self.actor, self.project, name)
        rows = Promotion.objects.filter(environment=environment).told().with_replicas()
        return Response(page(request, rows, lambda found: [PromotionSerializer(row).data for row in found]))

    @extend_schema(
        request=PromotionBody,
        responses={200: THERE_OR_FORESEEN, 201: PromotionSerializer, **refusals(403, 409, 415)},
    )
    def post(self, request: Request, name: str) -> Response:
        """Promote a model to the environment, or with `dry_run` tell what that would do.

        200 with the present promotion where the environment has that model already, so that a repeated request is
        safe. 409 `stale-promotion` where it has another model than `expected`.
        """
        environment = find_environment_or_retired(self.actor, self.project, name)
        members = bodies.read(request, PromotionBody)
        model = self._model(members.pop("model"))
        if members.pop("dry_run"):
            permissions.check_can_read_models(self.actor, self.project)
            foreseen = promotions.foresee(environment=environment, model=model, by=self.actor, **members)
            return Response(dry_run_document(foreseen, environment, model, request.path))
        return outcome_response(promotions.promote(environment=environment, model=model, by=self.actor, **members))

    def _model(self, name: str | None) -> TrainedModel | None:
        return None if name is None else find_model(self.actor, self.project, name)


def dry_run_document(
    foreseen: promotions.Foreseen, environment: Environment, model: TrainedModel | None, instance: str
) -> dict[str, Any]:
    current = promotions.current_model(environment)
    names = {"a": current.name if current else None, "b": model.name if model else None}
    would = foreseen.promotion
    return {
        "would": shown(would) if would.pk else PromotionSerializer(would).data,
        "refused": foreseen.refused.document(instance) if foreseen.refused else None,
        "diff": names | diffs.diff(current.metadata if current else {}, model.metadata if model else {}),
    }


class Rollback(NativeView):
    @extend_schema(
        request=RollbackBody,
        responses={200: PromotionSerializer, 201: PromotionSerializer, **refusals(403, 409, 415)},
    )
    def post(self, request: Request, name: str) -> Response:
        """Bring back the model before the present one, or that of the promotion `to`."""
        environment = find_environment_or_retired(self.actor, self.project, name)
        members = bodies.read(request, RollbackBody)
        if "to" in members:
            members["to"] = find_promotion(self.actor, self.project, members["to"])
        return outcome_response(promotions.rollback(environment=environment, by=self.actor, **members))


class OnePromotion(NativeView):
    @extend_schema(parameters=[WAIT], responses={200: PromotionSerializer, **refusals()})
    def get(self, request: Request, promotion: str) -> Response:
        """One promotion; with `wait` the answer is held until it is no longer rolling out, or the time is over."""
        found = find_promotion(self.actor, self.project, promotion)
        rolling_out = Promotion.objects.filter(pk=found.pk, status=PromotionStatus.ROLLING_OUT)
        waits.hold(request, finished=lambda: not rolling_out.exists())
        return Response(shown(found))

    @extend_schema(request=ReasonBody, responses={200: PromotionSerializer, **refusals(403, 415)})
    def patch(self, request: Request, promotion: str) -> Response:
        """Say afterwards why; only by who promoted."""
        found = find_promotion(self.actor, self.project, promotion)
        reason = bodies.read(request, ReasonBody)["reason"]
        return Response(shown(promotions.add_reason(promotion=found, reason=reason, by=self.actor)))


class At(NativeView):
    @extend_schema(
        parameters=[OpenApiParameter("time", OpenApiTypes.DATETIME, required=True, description="RFC 3339")],
        responses={200: AtSerializer, **refusals()},
    )
    def get(self, request: Request, name: str) -> Response:
        """What the environment was to serve at a time."""
        environment = find_environment_or_retired(self.actor, self.project, name)
        time = times.parse(request.query_params.get("time", ""), "time")
        owned = Promotion.objects.filter(environment=environment.tag_owner, created_at__lte=time)
        promotion = owned.select_related("model").order_by("-pk").first()
        at = {
            "time": time,
            "model": promotion.model.name if promotion and promotion.model else None,
            "promotion": promotion.pk if promotion else None,
        }
        return Response(AtSerializer(at).data)
