"""Tests of models as Rasa X ran and gave them: one result for each model, its newest."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.problems import NotFound
from environments import errors, permissions
from environments.actions import evaluations
from environments.api import waits
from environments.api.rasa_x.lists import LIST, part
from environments.api.schema import rasa_refusals
from environments.api.scope import find_model
from environments.api.v1.evaluations import PredictionSerializer
from environments.api.views import RasaXView
from environments.models import Evaluation, Job, TrainedModel
from environments.states import ACTIVE_JOBS, JobStatus


class EvaluatedSerializer(serializers.Serializer[Any]):
    """As scikit-learn reports: by label, with `weighted avg`. `timestamp` in seconds since 1970."""

    report = serializers.DictField()
    precision = serializers.FloatField()
    f1_score = serializers.FloatField()
    accuracy = serializers.FloatField(required=False)
    timestamp = serializers.FloatField()
    predictions = PredictionSerializer(many=True, required=False)


class RasaXEvaluationSerializer(serializers.Serializer[Any]):
    """Null where there was nothing to test."""

    model = serializers.CharField()
    intent_evaluation = EvaluatedSerializer(allow_null=True)
    entity_evaluation = EvaluatedSerializer(allow_null=True)
    response_selection_evaluation = EvaluatedSerializer(allow_null=True)


UNFINISHED = inline_serializer(
    "UnfinishedEvaluation",
    {"model": serializers.CharField(), "status": serializers.CharField(), "evaluation": serializers.CharField()},
)


def told(evaluation: Evaluation, *, predictions: bool = False) -> dict[str, Any]:
    intents = _report(evaluation, evaluation.intents, "per_intent")
    if intents and predictions:
        intents["predictions"] = evaluation.predictions or []
    return {
        "model": evaluation.model.name,
        "intent_evaluation": intents,
        "entity_evaluation": _report(evaluation, evaluation.entities, "per_entity"),
        "response_selection_evaluation": _report(evaluation, evaluation.responses, "per_response"),
    }


def _report(evaluation: Evaluation, found: dict[str, Any] | None, per: str) -> dict[str, Any] | None:
    if not found:
        return None
    support = sum(score["support"] for score in found[per].values())
    scores = {**found[per], "weighted avg": {**found, "support": support}}
    figures = {"precision": found["precision"], "f1_score": found["f1"]}
    if "accuracy" in found:
        figures["accuracy"] = found["accuracy"]
    at = evaluation.job.finished_at or evaluation.created_at
    return {"report": {name: _score(score) for name, score in scores.items()}, **figures, "timestamp": at.timestamp()}


def _score(score: dict[str, Any]) -> dict[str, Any]:
    return {
        "precision": score["precision"],
        "recall": score["recall"],
        "f1-score": score["f1"],
        "support": score["support"],
    }


class EvaluationList(RasaXView):
    @extend_schema(parameters=LIST, responses={200: RasaXEvaluationSerializer(many=True), **rasa_refusals(403)})
    def get(self, request: Request, **kwargs: str) -> Response:
        """The newest result of each model, without the predictions one by one."""
        permissions.check_can_read_evaluations(self.actor, self.project)
        newest = evaluations.newest_of_each(Evaluation.objects.visible_to(self.actor, self.project))
        page, headers = part(request, newest)
        return Response([told(evaluation) for evaluation in page], headers=headers)


class EvaluationView(RasaXView):
    @extend_schema(responses={200: RasaXEvaluationSerializer, **rasa_refusals(403)})
    def get(self, request: Request, model: str, **kwargs: str) -> Response:
        """The newest result of the model."""
        return Response(told(self._newest(self._model(model)), predictions=True))

    @extend_schema(
        request=None,
        responses={
            200: RasaXEvaluationSerializer,
            202: OpenApiResponse(UNFINISHED, description="It takes longer, or too many wait; ask again with GET"),
            **rasa_refusals(403, 409, 422),
        },
    )
    def put(self, request: Request, model: str, **kwargs: str) -> Response:
        """Test the model on the newest bundle; the answer is held until it has ended, at most 300 s."""
        permissions.check_can_evaluate(self.actor, self.project)
        evaluation = evaluations.submit(model=find_model(self.actor, self.project, model), by=self.actor)
        active = Job.objects.filter(pk=evaluation.job_id, status__in=ACTIVE_JOBS)
        waits.hold_for(waits.LONGEST, finished=lambda: not active.exists())
        found = Evaluation.objects.select_related("model", "job").get(pk=evaluation.pk)
        if found.job.status in ACTIVE_JOBS:
            running = {"model": found.model.name, "status": found.job.status, "evaluation": str(found.pk)}
            return Response(running, status=202)
        _check_succeeded(found)
        return Response(told(found, predictions=True))

    @extend_schema(responses={204: None, **rasa_refusals(403)})
    def delete(self, request: Request, model: str, **kwargs: str) -> Response:
        """Take the newest result of the model away."""
        permissions.check_can_evaluate(self.actor, self.project)
        evaluations.remove(evaluation=self._newest(self._model(model)), by=self.actor)
        return Response(status=204)

    def _model(self, name: str) -> TrainedModel:
        permissions.check_can_read_evaluations(self.actor, self.project)
        return find_model(self.actor, self.project, name)

    def _newest(self, model: TrainedModel) -> Evaluation:
        found = evaluations.newest(model)
        if found is None:
            raise NotFound(f"{model.name} was not evaluated. PUT the same address to do so.")
        return found


def _check_succeeded(evaluation: Evaluation) -> None:
    job = evaluation.job
    data: dict[str, Any] = {"job": str(job.pk), "error_code": job.error_code}
    if job.status == JobStatus.ERRORED:
        raise errors.EvaluationUnavailable(job.error_detail, **data)
    if job.status != JobStatus.SUCCEEDED:
        raise errors.EvaluationFailed(job.error_detail or f"The evaluation was {job.status}.", **data)
