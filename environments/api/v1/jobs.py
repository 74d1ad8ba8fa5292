"""Jobs: start a training, watch it, read its log, stop it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.problems import BadRequest
from environments import permissions
from environments.actions import jobs, trainings
from environments.api import bodies, waits
from environments.api.bodies import Body
from environments.api.schema import PAGE, WAIT, paged, refusals
from environments.api.scope import find_bundle, find_job, is_id
from environments.api.v1.paging import page
from environments.api.views import NativeView
from environments.models import Job, JobLog
from environments.queue_times import Wait, of_all
from environments.states import ACTIVE_JOBS, JobKind, JobStatus, choices


class JobSerializer(serializers.Serializer[Job]):
    """One unit of background work. `failed`: the data could not be trained on, the detail says why; `errored`: we could
    not do it. `model` is the model it made, `model_name` the name it reserved."""

    id = serializers.CharField(source="pk")
    kind = serializers.ChoiceField(choices(JobKind))
    status = serializers.ChoiceField(choices(JobStatus))
    progress = serializers.FloatField(allow_null=True, help_text="0 to 1; null where it is not known")
    step = serializers.CharField()
    by = serializers.CharField(source="by_name")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    model = serializers.CharField(source="result.name", allow_null=True, default=None)
    bundle = serializers.CharField(source="bundle_id", allow_null=True)
    model_name = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    error_code = serializers.CharField()
    error_detail = serializers.CharField()
    worker = serializers.CharField()
    cancel_asked_at = serializers.DateTimeField(allow_null=True)
    cancelled_by = serializers.CharField(source="cancelled_by_name")
    position = serializers.SerializerMethodField(help_text="while queued: 1 for the next of its kind in the project")
    expected_wait = serializers.SerializerMethodField(help_text="seconds until it starts, while queued and if known")

    @cached_property
    def _waits(self) -> dict[int, Wait]:
        """Both members ask for it: found out once. Of a list it is given, for all of it together."""
        waits: dict[int, Wait] | None = self.context.get("waits")
        return of_all([self.instance] if isinstance(self.instance, Job) else []) if waits is None else waits

    def _wait(self, job: Job) -> Wait | None:
        return self._waits.get(job.pk)

    def get_position(self, job: Job) -> int | None:
        wait = self._wait(job)
        return wait.position if wait else None

    def get_expected_wait(self, job: Job) -> float | None:
        wait = self._wait(job)
        return wait.seconds if wait else None


class JobLogSerializer(serializers.Serializer[Any]):
    """Ask again with `next_offset` for what was printed since; `done`: there will be no more."""

    text = serializers.CharField()
    next_offset = serializers.IntegerField()
    done = serializers.BooleanField()


class JobBody(Body):
    """A training of `bundle`, without it of the newest. `config`: a config.yml in place of the bundle's own."""

    kind = serializers.ChoiceField([JobKind.TRAINING.value])
    bundle = serializers.CharField(required=False)
    config = serializers.CharField(required=False, trim_whitespace=False, allow_blank=True)
    model_name = serializers.CharField(required=False, trim_whitespace=False)
    tags = serializers.ListField(child=serializers.CharField(trim_whitespace=False), required=False)


def _shown(rows: Sequence[Job]) -> list[Any]:
    context = {"waits": of_all(rows)}
    return [JobSerializer(row, context=context).data for row in rows]


class Jobs(NativeView):
    @extend_schema(
        parameters=[
            *PAGE,
            OpenApiParameter("status", enum=[status.value for status in JobStatus]),
            OpenApiParameter("kind", enum=[kind.value for kind in JobKind]),
        ],
        responses={200: paged(JobSerializer), **refusals(403)},
    )
    def get(self, request: Request) -> Response:
        """The jobs of the project, newest first."""
        permissions.check_can_read_training(self.actor, self.project)
        rows = Job.objects.visible_to(self.actor, self.project)
        for field, known in (("status", JobStatus), ("kind", JobKind)):
            if field in request.query_params:
                value = request.query_params[field]
                if value not in list(known):
                    raise BadRequest(f"{field} is one of {', '.join(known)}.")
                rows = rows.filter(**{field: value})
        return Response(page(request, rows, _shown))

    @extend_schema(request=JobBody, responses={201: JobSerializer, **refusals(403, 409, 415, 422)})
    def post(self, request: Request) -> Response:
        """Train a model on the training environment's Rasa server.

        `model_name` is reserved now. `tags` are put on the model at the end; you must be allowed to put each, now and
        then.
        """
        permissions.check_can_train(self.actor, self.project)
        members = bodies.read(request, JobBody)
        del members["kind"]
        if "bundle" in members:
            members["bundle"] = find_bundle(self.actor, self.project, members["bundle"])
        job = trainings.submit(project=self.project, by=self.actor, **members)
        return Response(JobSerializer(job).data, status=201)


class OneJob(NativeView):
    @extend_schema(parameters=[WAIT], responses={200: JobSerializer, **refusals(403)})
    def get(self, request: Request, job: str) -> Response:
        """One job; with `wait` the answer is held until it has ended, or the time is over."""
        found = find_job(self.actor, self.project, job)
        active = Job.objects.filter(pk=found.pk, status__in=ACTIVE_JOBS)
        waits.hold(request, finished=lambda: not active.exists())
        return Response(JobSerializer(find_job(self.actor, self.project, job)).data)


OFFSET = OpenApiParameter(
    "offset", {"type": "integer", "minimum": 0, "default": 0}, description="`next_offset` of the answer before"
)


def offset_of(text: str) -> int:
    if not is_id(text):
        raise BadRequest("offset is the number of characters that are there already, 0 or more.")
    return int(text)


class JobLogs(NativeView):
    @extend_schema(parameters=[OFFSET], responses={200: JobLogSerializer, **refusals(403)})
    def get(self, request: Request, job: str) -> Response:
        """What the job has printed, from `offset` on; about 256 KiB at most."""
        found = find_job(self.actor, self.project, job)
        # Read before the log: nothing is printed after the end.
        ended = found.status not in ACTIVE_JOBS
        offset = offset_of(request.query_params.get("offset", "0"))
        reading = JobLog.objects.read(found, offset)
        done = ended and reading.next_offset >= JobLog.objects.end(found)
        return Response({"text": reading.text, "next_offset": reading.next_offset, "done": done})


class CancelJob(NativeView):
    @extend_schema(request=None, responses={202: JobSerializer, **refusals(403, 409)})
    def post(self, request: Request, job: str) -> Response:
        """End a queued job at once, and have a running one stop: it is `cancelled` when its work has ended."""
        found = find_job(self.actor, self.project, job)
        jobs.cancel(job=found, by=self.actor)
        return Response(JobSerializer(find_job(self.actor, self.project, job)).data, status=202)
