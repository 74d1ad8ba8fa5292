"""Evaluations: test a model, read the result, compare two of the same examples."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.problems import BadRequest
from environments import permissions
from environments.actions import evaluations
from environments.actions.evaluations import FEWEST_FOLDS, FOLDS, MOST_FOLDS
from environments.api import bodies, waits
from environments.api.bodies import Body
from environments.api.schema import PAGE, WAIT, paged, refusals
from environments.api.scope import find_bundle, find_evaluation, find_evaluation_or_model, find_model, is_id
from environments.api.v1.paging import page
from environments.api.views import NativeView
from environments.comparisons import Comparison
from environments.models import Evaluation, Job
from environments.states import ACTIVE_JOBS, EvaluationMethod, JobStatus, choices


class ScoreSerializer(serializers.Serializer[Any]):
    precision = serializers.FloatField()
    recall = serializers.FloatField()
    f1 = serializers.FloatField()
    support = serializers.IntegerField(help_text="how many examples it has")


class ConfidenceSerializer(serializers.Serializer[Any]):
    """How many right and wrong predictions were how sure: in 20 equal steps from 0 to 1."""

    right = serializers.ListField(child=serializers.IntegerField())
    wrong = serializers.ListField(child=serializers.IntegerField())


class IntentsSerializer(serializers.Serializer[Any]):
    """Averages are weighted by support. `confusion` maps each intent to what its examples were taken for, "" for
    nothing."""

    accuracy = serializers.FloatField()
    precision = serializers.FloatField()
    recall = serializers.FloatField()
    f1 = serializers.FloatField()
    per_intent = serializers.DictField(child=ScoreSerializer())
    confusion = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))
    confidence = ConfidenceSerializer(allow_null=True)


class ExtractorSerializer(serializers.Serializer[Any]):
    precision = serializers.FloatField()
    recall = serializers.FloatField()
    f1 = serializers.FloatField()
    per_entity = serializers.DictField(child=ScoreSerializer())


class FoundEntitySerializer(serializers.Serializer[Any]):
    entity = serializers.CharField()
    value = serializers.CharField()


class WrongEntitiesSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    extractor = serializers.CharField()
    expected = FoundEntitySerializer(many=True)
    predicted = FoundEntitySerializer(many=True)


class EntitiesSerializer(ExtractorSerializer):
    """By extractor; the figures beside them are those of the best one."""

    extractors = serializers.DictField(child=ExtractorSerializer())
    wrong = WrongEntitiesSerializer(many=True)


class ResponsesSerializer(serializers.Serializer[Any]):
    """Of response selectors: which answer of a retrieval intent was chosen."""

    accuracy = serializers.FloatField()
    precision = serializers.FloatField()
    recall = serializers.FloatField()
    f1 = serializers.FloatField()
    per_response = serializers.DictField(child=ScoreSerializer())


class WrongActionSerializer(serializers.Serializer[Any]):
    action = serializers.CharField()
    predicted = serializers.CharField()


class StoriesSerializer(serializers.Serializer[Any]):
    """Of test stories, action by action."""

    accuracy = serializers.FloatField()
    precision = serializers.FloatField()
    recall = serializers.FloatField()
    f1 = serializers.FloatField()
    stories = serializers.IntegerField()
    actions = serializers.IntegerField()
    per_action = serializers.DictField(child=ScoreSerializer())
    wrong = WrongActionSerializer(many=True)


class EvaluationSerializer(serializers.Serializer[Evaluation]):
    """A test of one model; `status` and the error are those of its job. A report is null where there was nothing to
    test. `test_hash` names the very examples: only evaluations of the same hash are compared. `seen`: how many of the
    `tested` examples the model was trained on, null where that is not known."""

    id = serializers.CharField(source="pk")
    model = serializers.CharField(source="model.name")
    bundle = serializers.CharField(source="bundle_id")
    method = serializers.ChoiceField(choices(EvaluationMethod))
    job = serializers.CharField(source="job_id")
    status = serializers.ChoiceField(choices(JobStatus), source="job.status")
    test_hash = serializers.CharField()
    tested = serializers.IntegerField(allow_null=True)
    seen = serializers.IntegerField(allow_null=True)
    notes = serializers.ListField(child=serializers.CharField())
    intents = IntentsSerializer(allow_null=True)
    entities = EntitiesSerializer(allow_null=True)
    responses = ResponsesSerializer(allow_null=True)
    stories = StoriesSerializer(allow_null=True)
    by = serializers.CharField(source="job.by_name")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(source="job.finished_at", allow_null=True)
    error_code = serializers.CharField(source="job.error_code")
    error_detail = serializers.CharField(source="job.error_detail")


class EvaluationBody(Body):
    """Without `bundle` the newest; without `method` its own test data, or a part of its examples where it has none.
    `folds` is for `cross_validation`."""

    model = serializers.CharField(trim_whitespace=False)
    bundle = serializers.CharField(required=False)
    method = serializers.ChoiceField(choices(EvaluationMethod), required=False)
    folds = serializers.IntegerField(required=False, default=FOLDS, min_value=FEWEST_FOLDS, max_value=MOST_FOLDS)


class PredictionSerializer(serializers.Serializer[Any]):
    """`predicted` is "" where nothing was."""

    text = serializers.CharField()
    intent = serializers.CharField()
    predicted = serializers.CharField(allow_blank=True)
    confidence = serializers.FloatField(allow_null=True)


class F1Serializer(serializers.Serializer[Any]):
    """`p_value`: how likely so uneven a change would be by chance, if both were equally good (McNemar's test)."""

    a = serializers.FloatField()
    b = serializers.FloatField()
    p_value = serializers.FloatField()


class IntentChangeSerializer(serializers.Serializer[Any]):
    intent = serializers.CharField()
    a = serializers.FloatField(help_text="F1")
    b = serializers.FloatField(help_text="F1")
    delta = serializers.FloatField()
    support = serializers.IntegerField()


class PairSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    intent = serializers.CharField()
    a = serializers.CharField(help_text="what it was taken for")
    b = serializers.CharField()


class NamesSerializer(serializers.Serializer[Any]):
    a = serializers.CharField()
    b = serializers.CharField()


class ComparisonSerializer(serializers.Serializer[Any]):
    """`per_intent` is worst change first. `broken` are utterances that were right in `a` and are wrong in `b`, `fixed`
    the other way round, `changed` all that differ, with what each was taken for."""

    a = serializers.CharField(help_text="id of the evaluation")
    b = serializers.CharField(help_text="id of the evaluation")
    models = NamesSerializer()
    test_hash = serializers.CharField()
    tested = serializers.IntegerField()
    f1 = F1Serializer()
    per_intent = IntentChangeSerializer(many=True)
    broken = serializers.ListField(child=serializers.CharField())
    fixed = serializers.ListField(child=serializers.CharField())
    changed = PairSerializer(many=True)


def told(a: Evaluation, b: Evaluation, found: Comparison) -> dict[str, Any]:
    return {
        "a": str(a.pk),
        "b": str(b.pk),
        "models": {"a": a.model.name, "b": b.model.name},
        "test_hash": a.test_hash,
        "tested": a.tested,
        "f1": {"a": found.f1_a, "b": found.f1_b, "p_value": found.p_value},
        "per_intent": [IntentChangeSerializer(change).data for change in found.per_intent],
        "broken": [pair.text for pair in found.broken],
        "fixed": [pair.text for pair in found.fixed],
        "changed": [PairSerializer(pair).data for pair in found.changed],
    }


class Evaluations(NativeView):
    @extend_schema(
        parameters=[
            *PAGE,
            OpenApiParameter("model", description="only those of this model"),
            OpenApiParameter("bundle", description="only those on this bundle"),
            OpenApiParameter("test_hash", description="only those of these examples"),
        ],
        responses={200: paged(EvaluationSerializer), **refusals(403)},
    )
    def get(self, request: Request) -> Response:
        """The evaluations of the project, newest first."""
        permissions.check_can_read_evaluations(self.actor, self.project)
        rows, asked = Evaluation.objects.visible_to(self.actor, self.project), request.query_params
        if "model" in asked:
            rows = rows.filter(model__name=asked["model"])
        if "bundle" in asked:
            rows = rows.filter(bundle=int(asked["bundle"])) if is_id(asked["bundle"]) else rows.none()
        if "test_hash" in asked:
            rows = rows.filter(test_hash=asked["test_hash"])
        return Response(page(request, rows, lambda found: [EvaluationSerializer(row).data for row in found]))

    @extend_schema(request=EvaluationBody, responses={201: EvaluationSerializer, **refusals(403, 409, 415)})
    def post(self, request: Request) -> Response:
        """Test a model on the training environment's Rasa server, beside whatever that serves."""
        permissions.check_can_evaluate(self.actor, self.project)
        members = bodies.read(request, EvaluationBody)
        model = find_model(self.actor, self.project, members["model"])
        named = members.get("bundle")
        evaluation = evaluations.submit(
            model=model,
            by=self.actor,
            bundle=find_bundle(self.actor, self.project, named) if named is not None else None,
            method=EvaluationMethod(members["method"]) if "method" in members else None,
            folds=members["folds"],
        )
        return Response(EvaluationSerializer(evaluation).data, status=201)


class OneEvaluation(NativeView):
    @extend_schema(parameters=[WAIT], responses={200: EvaluationSerializer, **refusals(403)})
    def get(self, request: Request, evaluation: str) -> Response:
        """One evaluation; with `wait` the answer is held until it has ended, or the time is over."""
        found = find_evaluation(self.actor, self.project, evaluation)
        active = Job.objects.filter(pk=found.job_id, status__in=ACTIVE_JOBS)
        waits.hold(request, finished=lambda: not active.exists())
        return Response(EvaluationSerializer(find_evaluation(self.actor, self.project, evaluation)).data)

    @extend_schema(responses={204: None, **refusals(403)})
    def delete(self, request: Request, evaluation: str) -> Response:
        """Take a result away: it is listed and compared no more."""
        evaluations.remove(evaluation=find_evaluation(self.actor, self.project, evaluation), by=self.actor)
        return Response(status=204)


class Predictions(NativeView):
    @extend_schema(
        parameters=[OpenApiParameter("wrong", bool, description="only those that were wrong")],
        responses={200: PredictionSerializer(many=True), **refusals(403)},
    )
    def get(self, request: Request, evaluation: str) -> Response:
        """What the model made of each example, in the order of the test."""
        found = find_evaluation(self.actor, self.project, evaluation)
        predictions = found.predictions or []
        wrong = request.query_params.get("wrong", "false")
        if wrong not in ("true", "false"):
            raise BadRequest("wrong is true or false.")
        if wrong == "true":
            predictions = [one for one in predictions if one["intent"] != one["predicted"]]
        return Response(predictions)


SIDE = "an evaluation, or a model: then its newest one of the same examples as the other's"


class Compare(NativeView):
    @extend_schema(
        parameters=[
            OpenApiParameter("a", required=True, description=SIDE),
            OpenApiParameter("b", required=True, description=SIDE),
        ],
        responses={200: ComparisonSerializer, **refusals(403, 409)},
    )
    def get(self, request: Request) -> Response:
        """What changes from `a` to `b`, on the same examples. 409 `not-comparable` where they were tested otherwise."""
        asked = request.query_params
        if "a" not in asked or "b" not in asked:
            raise BadRequest("a and b are needed: evaluations, or names of models.")
        sides = [find_evaluation_or_model(self.actor, self.project, asked[side]) for side in ("a", "b")]
        a, b = evaluations.pair(*sides)
        return Response(told(a, b, evaluations.compare(a, b)))
