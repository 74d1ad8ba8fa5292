"""Trained models: list them, read one, its metadata, what differs between two."""

from typing import Any

from django.db.models import Prefetch, Q
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.problems import BadRequest
from environments import diffs, permissions
from environments.api.schema import PAGE, paged, refusals
from environments.api.scope import find_environment, find_model
from environments.api.v1.paging import page
from environments.api.views import NativeView
from environments.models import Environment, Tag, TrainedModel


class CountsSerializer(serializers.Serializer[Any]):
    """How many the model declares of each kind."""

    intents = serializers.IntegerField(default=0)
    entities = serializers.IntegerField(default=0)
    slots = serializers.IntegerField(default=0)
    responses = serializers.IntegerField(default=0)
    actions = serializers.IntegerField(default=0)
    forms = serializers.IntegerField(default=0)
    flows = serializers.IntegerField(default=0)


class ModelSerializer(serializers.Serializer[TrainedModel]):
    """A trained model. `hash` is the SHA-256 of its archive; `environments` are those that are to serve it now."""

    name = serializers.CharField()
    hash = serializers.CharField()
    size = serializers.IntegerField(help_text="bytes")
    trained_at = serializers.DateTimeField()
    registered_at = serializers.DateTimeField()
    registered_by = serializers.CharField(source="registered_by_name")
    version = serializers.CharField(help_text="of Rasa")
    language = serializers.CharField()
    model_id = serializers.CharField()
    assistant_id = serializers.CharField()
    tags = serializers.SerializerMethodField()
    environments = serializers.SerializerMethodField()
    job = serializers.CharField(source="job_id", allow_null=True)
    bundle = serializers.CharField(source="bundle_id", allow_null=True)
    counts = CountsSerializer()

    def get_tags(self, model: TrainedModel) -> list[str]:
        return sorted(tag.name for tag in model.tags.all())

    def get_environments(self, model: TrainedModel) -> list[str]:
        """`context["environments"]` are those the caller may see."""
        tags = set(self.get_tags(model))
        return [environment.name for environment in self.context["environments"] if environment.tag_name in tags]


class ChangesSerializer(serializers.Serializer[Any]):
    added = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    changed = serializers.ListField(child=serializers.CharField())


class ComponentsSerializer(serializers.Serializer[Any]):
    """Components as config.yml spells them: `name` and their settings."""

    a = serializers.ListField(child=serializers.DictField())
    b = serializers.ListField(child=serializers.DictField())


class VersionsSerializer(serializers.Serializer[Any]):
    a = serializers.CharField(allow_null=True)
    b = serializers.CharField(allow_null=True)


class DiffSerializer(serializers.Serializer[Any]):
    """What `b` declares that `a` does not (added), the other way round (removed), and otherwise (changed)."""

    a = serializers.CharField(allow_null=True)
    b = serializers.CharField(allow_null=True)
    intents = ChangesSerializer()
    entities = ChangesSerializer()
    slots = ChangesSerializer()
    responses = ChangesSerializer()
    actions = ChangesSerializer()
    forms = ChangesSerializer()
    flows = ChangesSerializer()
    pipeline = ComponentsSerializer()
    policies = ComponentsSerializer()
    version = VersionsSerializer()


class Models(NativeView):
    @extend_schema(
        parameters=[
            *PAGE,
            OpenApiParameter("tag", description="the model that carries this tag, `latest` and `active` too"),
            OpenApiParameter("q", description="part of the name, of the beginning of the hash or of the model id"),
            OpenApiParameter("environment", description="the model that this environment is to serve"),
        ],
        responses={200: paged(ModelSerializer), **refusals(403)},
    )
    def get(self, request: Request) -> Response:
        """The models of the project, registered last first."""
        permissions.check_can_read_models(self.actor, self.project)
        rows = TrainedModel.objects.visible_to(self.actor, self.project)
        asked = request.query_params
        if "tag" in asked:
            rows = rows.tagged(asked["tag"])
        if "environment" in asked:
            environment = find_environment(self.actor, self.project, asked["environment"])
            rows = rows.tagged(environment.tag_name)
        if "q" in asked:
            text = asked["q"]
            rows = rows.filter(Q(name__icontains=text) | Q(hash__istartswith=text) | Q(model_id__istartswith=text))
        with_tags = rows.prefetch_related(Prefetch("tags", Tag.objects.all()))
        context = serializer_context(self)

        def serialise(found: list[TrainedModel]) -> list[Any]:
            return [ModelSerializer(row, context=context).data for row in found]

        # A model that was deleted and uploaded again keeps its id and counts from then.
        return Response(page(request, with_tags, serialise, time="registered_at"))


def serializer_context(view: NativeView) -> dict[str, list[Environment]]:
    return {"environments": list(Environment.objects.visible_to(view.actor, view.project))}


class OneModel(NativeView):
    @extend_schema(responses={200: ModelSerializer, **refusals(403)})
    def get(self, request: Request, name: str) -> Response:
        """One model."""
        model = find_model(self.actor, self.project, name)
        return Response(ModelSerializer(model, context=serializer_context(self)).data)


class Metadata(NativeView):
    @extend_schema(responses={200: OpenApiTypes.OBJECT, **refusals(403)})
    def get(self, request: Request, name: str) -> Response:
        """The `metadata.json` of the model's archive, whole."""
        return Response(find_model(self.actor, self.project, name).metadata)


class Diff(NativeView):
    @extend_schema(
        parameters=[OpenApiParameter("against", required=True, description="the name of the model to compare with")],
        responses={200: DiffSerializer, **refusals(403)},
    )
    def get(self, request: Request, name: str) -> Response:
        """What this model (`b`) changes against another one (`a`)."""
        b = find_model(self.actor, self.project, name)
        if "against" not in request.query_params:
            raise BadRequest("against is needed: the name of the model to compare with.")
        a = find_model(self.actor, self.project, request.query_params["against"])
        return Response({"a": a.name, "b": b.name} | diffs.diff(a.metadata, b.metadata))
