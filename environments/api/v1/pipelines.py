"""Pipelines: declare, change and remove one, start it, and the secret of its pushes."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from environments import permissions, pipeline_spec
from environments.actions import pipeline_runs, pipelines
from environments.api import bodies
from environments.api.bodies import Body
from environments.api.schema import PAGE, paged, refusals
from environments.api.scope import find_pipeline
from environments.api.v1.paging import page
from environments.api.v1.pipeline_runs import RUNS, RunSerializer, serialise
from environments.api.v1.pipeline_schema import ConfigsField, GatesField, OnField, SourceField
from environments.api.views import NativeView
from environments.models import Pipeline, PipelineRun
from environments.states import DeclaredIn, EvaluationMethod, Trigger, choices


class PipelineSerializer(serializers.Serializer[Pipeline]):
    """How a model comes to an environment by itself, as pipelines.yml says it, defaults filled in. It acts as `owner`.
    `due_at` is when its schedule wants it next; `push_secret` whether pushes have a secret to be signed with."""

    name = serializers.CharField()
    project = serializers.CharField(source="project.name")
    owner = serializers.CharField(source="owner.username")
    enabled = serializers.BooleanField()
    source = SourceField(source="declaration.source")  # type: ignore[assignment]
    configs = ConfigsField(source="declaration.configs")
    evaluate = serializers.ChoiceField(choices(EvaluationMethod), source="declaration.evaluate", allow_null=True)
    gates = GatesField(source="declaration.gates")
    promote = serializers.CharField(source="declaration.promote", allow_null=True)
    notify = serializers.BooleanField(source="declaration.notify")
    on = serializers.SerializerMethodField()
    declared_in = serializers.ChoiceField(choices(DeclaredIn))
    due_at = serializers.DateTimeField(allow_null=True)
    push_secret = serializers.BooleanField(source="sealed_push_secret")
    created_at = serializers.DateTimeField()

    @extend_schema_field(OnField)
    def get_on(self, pipeline: Pipeline) -> Any:
        return pipeline.declaration["on"]


class PipelineChangeBody(Body):
    """What is left out stays as it is. Whoever changes a pipeline holds every grant that its steps need, and owns it
    from then on."""

    owner = serializers.CharField(required=False, trim_whitespace=False, help_text="nobody but you")
    enabled = serializers.BooleanField(required=False)
    source = SourceField(required=False)  # type: ignore[assignment]
    configs = ConfigsField(required=False)
    evaluate = serializers.ChoiceField(
        choices(EvaluationMethod),
        required=False,
        allow_null=True,
        help_text="null: on the bundle's test data, and where it has none on a part that is held out",
    )
    gates = GatesField(required=False)
    promote = serializers.CharField(
        required=False, allow_null=True, trim_whitespace=False, help_text="the environment; null: none"
    )
    notify = serializers.BooleanField(required=False)
    on = OnField(required=False)


class PipelineBody(PipelineChangeBody):
    """What is left out has its default, as in pipelines.yml. You hold every grant that its steps need, and own it."""

    name = serializers.CharField(trim_whitespace=False)


class PushSecretSerializer(serializers.Serializer[Any]):
    """`secret` is shown here and never again. Pushes go to `url`."""

    secret = serializers.CharField()
    url = serializers.URLField()


class Pipelines(NativeView):
    @extend_schema(parameters=PAGE, responses={200: paged(PipelineSerializer), **refusals(403)})
    def get(self, request: Request) -> Response:
        """The pipelines of the project, newest first."""
        permissions.check_can_read_pipelines(self.actor, self.project)
        rows = Pipeline.objects.visible_to(self.actor, self.project)
        return Response(page(request, rows, lambda found: [PipelineSerializer(row).data for row in found]))

    @extend_schema(request=PipelineBody, responses={201: PipelineSerializer, **refusals(403, 409, 415)})
    def post(self, request: Request) -> Response:
        """Declare a pipeline."""
        permissions.check_can_write_pipelines(self.actor, self.project)
        members = bodies.read(request, PipelineBody)
        name = members.pop("name")
        declared = pipeline_spec.read_json(members, project=self.project.name, name=name)
        made = pipelines.define(project=self.project, declared=declared, by=self.actor)
        return Response(PipelineSerializer(made).data, status=201)


class OnePipeline(NativeView):
    @extend_schema(responses={200: PipelineSerializer, **refusals(403)})
    def get(self, request: Request, name: str) -> Response:
        """One pipeline."""
        return Response(PipelineSerializer(find_pipeline(self.actor, self.project, name)).data)

    @extend_schema(request=PipelineChangeBody, responses={200: PipelineSerializer, **refusals(403, 409, 415)})
    def patch(self, request: Request, name: str) -> Response:
        """Change one that pipelines.yml does not declare."""
        pipeline = find_pipeline(self.actor, self.project, name)
        permissions.check_can_write_pipelines(self.actor, self.project)
        members = bodies.read(request, PipelineChangeBody)
        changed = pipelines.change(pipeline=pipeline, members=members, by=self.actor)
        return Response(PipelineSerializer(changed).data)

    @extend_schema(responses={204: None, **refusals(403, 409)})
    def delete(self, request: Request, name: str) -> Response:
        """Remove one that pipelines.yml does not declare, and cancel its runs; they stay as history."""
        pipelines.remove(pipeline=find_pipeline(self.actor, self.project, name), by=self.actor)
        return Response(status=204)


class Runs(NativeView):
    @extend_schema(parameters=PAGE, responses={200: RUNS, **refusals(403)})
    def get(self, request: Request, name: str) -> Response:
        """The runs of one pipeline, newest first."""
        pipeline = find_pipeline(self.actor, self.project, name)
        rows = PipelineRun.objects.visible_to(self.actor, self.project).filter(pipeline=pipeline)
        return Response(page(request, rows, serialise))

    @extend_schema(request=None, responses={201: RunSerializer, **refusals(403, 409)})
    def post(self, request: Request, name: str) -> Response:
        """Start it now. It takes `pipelines.write` and the grant of each of its steps. While another run goes on, this
        one waits, in place of any that waited before."""
        pipeline = find_pipeline(self.actor, self.project, name)
        run = pipeline_runs.start(pipeline=pipeline, trigger=Trigger.HAND, by=self.actor)
        return Response(serialise([run])[0], status=201)


class PushSecret(NativeView):
    @extend_schema(request=None, responses={201: PushSecretSerializer, **refusals(403)})
    def post(self, request: Request, name: str) -> Response:
        """A new secret for the git server to sign its pushes with; the one before ends. As it starts the pipeline, it
        takes `pipelines.write` and the grant of each step."""
        pipeline = find_pipeline(self.actor, self.project, name)
        secret = pipelines.new_push_secret(pipeline=pipeline, by=self.actor)
        return Response({"secret": secret, "url": push_url(request, pipeline)}, status=201)


def push_url(request: Request, pipeline: Pipeline) -> str:
    """Where a git server sends its pushes."""
    query = "" if pipeline.project.name == "default" else f"?project={pipeline.project.name}"
    return request.build_absolute_uri(f"/api/v1/pipelines/{pipeline.name}/push/{query}")
