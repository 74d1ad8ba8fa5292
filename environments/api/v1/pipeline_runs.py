"""Runs of pipelines: what each step does, the verdict of each gate, what became of it."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.problems import BadRequest
from environments import permissions
from environments.actions import pipeline_runs
from environments.api import waits
from environments.api.schema import PAGE, WAIT, paged, refusals
from environments.api.scope import find_pipeline_run
from environments.api.v1.paging import page
from environments.api.views import NativeView
from environments.models import PipelineRun, PipelineStep
from environments.states import JobStatus, StepKind, StepStatus, Trigger, choices


class StepSerializer(serializers.Serializer[PipelineStep]):
    """`job` is the work it waits for, `detail` what came of it in words."""

    name = serializers.CharField()
    kind = serializers.ChoiceField(choices(StepKind))
    status = serializers.ChoiceField(choices(StepStatus))
    job = serializers.CharField(source="job_id", allow_null=True)
    model = serializers.CharField(source="model.name", allow_null=True, default=None)
    detail = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class VerdictSerializer(serializers.Serializer[Any]):
    """Of one gate on one model; further members are the figures in `detail`."""

    name = serializers.CharField()
    passed = serializers.BooleanField()
    detail = serializers.CharField()
    model = serializers.CharField()
    config = serializers.CharField()

    def to_representation(self, instance: Any) -> Any:
        return instance


class RunSerializer(serializers.Serializer[PipelineRun]):
    """One way through a pipeline. `model` is the one that was chosen, `serving` what it was judged against."""

    id = serializers.CharField(source="pk")
    pipeline = serializers.CharField(source="pipeline.name")
    status = serializers.ChoiceField(choices(JobStatus))
    trigger = serializers.ChoiceField(choices(Trigger))
    by = serializers.CharField(source="by_name")
    owner = serializers.CharField(source="owner.username")
    bundle = serializers.CharField(source="bundle_id", allow_null=True)
    ref = serializers.CharField()
    steps = StepSerializer(many=True)
    gates = VerdictSerializer(many=True)
    model = serializers.CharField(source="model.name", allow_null=True, default=None)
    serving = serializers.CharField(source="serving.name", allow_null=True, default=None)
    promotion = serializers.CharField(source="promotion_id", allow_null=True)
    error_code = serializers.CharField()
    error_detail = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


# One component for the two routes that list runs.
RUNS = paged(RunSerializer)


def serialise(found: Sequence[PipelineRun]) -> list[Any]:
    """Runs as the API shows them, with their steps."""
    steps = PipelineStep.objects.select_related("model").defer("figures", "model__metadata").order_by("position")
    rows = PipelineRun.objects.told().prefetch_related(Prefetch("steps", queryset=steps))
    by_pk = rows.in_bulk([run.pk for run in found])
    return [RunSerializer(by_pk[run.pk]).data for run in found]


class PipelineRuns(NativeView):
    @extend_schema(
        parameters=[*PAGE, OpenApiParameter("status", enum=[status.value for status in JobStatus])],
        responses={200: RUNS, **refusals(403)},
    )
    def get(self, request: Request) -> Response:
        """The runs of every pipeline of the project, newest first."""
        permissions.check_can_read_pipelines(self.actor, self.project)
        rows = PipelineRun.objects.visible_to(self.actor, self.project)
        status = request.query_params.get("status")
        if status is not None:
            if status not in list(JobStatus):
                raise BadRequest(f"status is one of {', '.join(JobStatus)}.")
            rows = rows.filter(status=status)
        return Response(page(request, rows, serialise))


class OneRun(NativeView):
    @extend_schema(parameters=[WAIT], responses={200: RunSerializer, **refusals(403)})
    def get(self, request: Request, run: str) -> Response:
        """One run; with `wait` the answer is held until it has ended, or the time is over."""
        found = find_pipeline_run(self.actor, self.project, run)
        active = PipelineRun.objects.active().filter(pk=found.pk)
        waits.hold(request, finished=lambda: not active.exists())
        return Response(serialise([found])[0])


class CancelRun(NativeView):
    @extend_schema(request=None, responses={202: RunSerializer, **refusals(403, 409)})
    def post(self, request: Request, run: str) -> Response:
        """End the run, and have the jobs that it waits for stop. What it promoted stays."""
        found = find_pipeline_run(self.actor, self.project, run)
        pipeline_runs.cancel(run=found, by=self.actor)
        return Response(serialise([found])[0], status=202)
