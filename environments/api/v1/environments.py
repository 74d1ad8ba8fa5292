"""Environments: list them, read one, and define, change or retire those that environments.yml does not declare."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from environments import deploying, permissions, spec
from environments.actions import environments
from environments.actions import freezes as freeze_actions
from environments.api import bodies
from environments.api.bodies import Body
from environments.api.schema import PAGE, paged, refusals
from environments.api.scope import find_environment, find_model
from environments.api.v1.paging import page
from environments.api.v1.promotions import LONGEST_REASON
from environments.api.views import NativeView
from environments.deploying import Texts
from environments.models import Environment
from environments.serving import freezes, reports
from environments.serving.freezes import Served
from environments.serving.reports import EnvironmentReport
from environments.states import DeclaredIn, Health, Kind, RasaXWrites, Sync, choices

LEARNED = "learned"


@extend_schema_field(
    {
        "oneOf": [
            {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": spec.MAX_PULL_INTERVAL},
            {"type": "string", "enum": [LEARNED]},
        ],
        "nullable": True,
        "description": "seconds; `learned` from the polls; null: its servers pull only at their start",
    }
)
class PullIntervalField(serializers.FloatField):
    """What environments.yml says with a number, with null, and by leaving the key out."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if data == LEARNED:
            return data
        if type(data) not in (int, float):
            raise serializers.ValidationError(f"Give a number of seconds, null or {LEARNED}.")
        # Compared as it is: a whole number can be too large for a float.
        if not 0 < data <= spec.MAX_PULL_INTERVAL:
            raise serializers.ValidationError(f"Give seconds, more than 0 and up to {spec.MAX_PULL_INTERVAL:.0f}.")
        return super().to_internal_value(data)


class ServedModelSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    hash = serializers.CharField()
    trained_at = serializers.DateTimeField()
    version = serializers.CharField(help_text="of Rasa")


class ReplicaCountsSerializer(serializers.Serializer[Any]):
    """Replicas by state. `expected` is declared, `live` counts all but silent ones."""

    expected = serializers.IntegerField()
    live = serializers.IntegerField()
    serving = serializers.IntegerField()
    loading = serializers.IntegerField()
    stuck = serializers.IntegerField()
    silent = serializers.IntegerField()
    empty = serializers.IntegerField()
    foreign = serializers.IntegerField()


class ServedSerializer(serializers.Serializer[Served]):
    """What some servers have. `model` is null where it is not known, or was deleted: it must be uploaded first."""

    hash = serializers.CharField(source="archive", allow_null=True)
    model = serializers.CharField(source="model.name", default=None, allow_null=True)
    replicas = serializers.ListField(child=serializers.CharField())


class FrozenSerializer(serializers.Serializer[Any]):
    """Since a restore its servers keep what they have, until `POST …/resume/` says what it is to serve."""

    since = serializers.DateTimeField(source="report.environment.frozen_at")
    backup_of = serializers.DateTimeField(source="report.environment.frozen_as_of")
    serves = ServedSerializer(many=True, source="served", help_text="by servers that were heard since")


class EnvironmentSerializer(serializers.Serializer[EnvironmentReport]):
    """An environment and what its servers prove. `model` is what it is to serve; `sync` says whether it does, `health`
    whether it can; `reasons` say why not. Its Rasa token is never among it."""

    name = serializers.CharField(source="environment.name")
    project = serializers.CharField(source="environment.project.name")
    kind = serializers.ChoiceField(choices(Kind), source="environment.kind")
    protected = serializers.BooleanField(source="environment.protected")
    color = serializers.CharField(source="environment.color")
    order = serializers.IntegerField(source="environment.order")
    declared_in = serializers.ChoiceField(choices(DeclaredIn), source="environment.declared_in")
    url = serializers.CharField(source="environment.url")
    follows = serializers.CharField(source="environment.follows.name", default=None, allow_null=True)
    model = ServedModelSerializer(allow_null=True)
    sync = serializers.ChoiceField(choices(Sync))
    health = serializers.ChoiceField(choices(Health))
    replicas = ReplicaCountsSerializer()
    since = serializers.DateTimeField(allow_null=True)
    promoted_by = serializers.CharField(allow_null=True)
    reasons = serializers.ListField(child=serializers.CharField())
    workers = serializers.IntegerField(source="environment.workers", help_text="of each replica")
    pull_interval = serializers.SerializerMethodField()
    rasa_x_writes = serializers.ChoiceField(choices(RasaXWrites), source="environment.rasa_x_writes")
    frozen = serializers.SerializerMethodField()

    @extend_schema_field(FrozenSerializer(allow_null=True))
    def get_frozen(self, report: EnvironmentReport) -> Any:
        frozen = report.environment.frozen_at if report.environment.follows_id is None else None
        return FrozenSerializer(freezes.decision(report)).data if frozen else None

    @extend_schema_field(PullIntervalField)
    def get_pull_interval(self, report: EnvironmentReport) -> float | str | None:
        environment = report.environment
        return None if environment.pulls_once else environment.pull_interval or LEARNED


class ComposeSerializer(serializers.Serializer[Texts]):
    """What `manage.py compose --write` would write of it: its service in docker-compose.override.yml and the files
    that this mounts. No secret is in them. `refused` says why there are none, else it is empty."""

    service = serializers.CharField()
    endpoints = serializers.CharField()
    credentials = serializers.CharField()
    refused = serializers.CharField()


class DefinedEnvironmentSerializer(EnvironmentSerializer):
    """A new environment, and how its Rasa servers would be deployed."""

    compose = ComposeSerializer()


class ChangeBody(Body):
    """What is left out stays as it is. Another scheme, host or port of `url` clears the stored token."""

    url = serializers.CharField(required=False, trim_whitespace=False)
    token = serializers.CharField(
        required=False, allow_blank=True, trim_whitespace=False, max_length=1000, help_text="of the Rasa server"
    )
    jwt_secret = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        max_length=10_000,
        help_text="for end users' chat; to change it takes `conversations.write` too",
    )
    kind = serializers.ChoiceField(choices(Kind), required=False)
    protected = serializers.BooleanField(required=False)
    follows = serializers.CharField(
        required=False, allow_null=True, trim_whitespace=False, help_text="the environment whose model it serves too"
    )
    color = serializers.RegexField(
        rf"\A{spec.COLOR.pattern}\Z", required=False, trim_whitespace=False, help_text='like "#0e7490"'
    )
    replicas = serializers.IntegerField(required=False, min_value=1, max_value=spec.MAX_COUNT)
    workers = serializers.IntegerField(required=False, min_value=1, max_value=spec.MAX_COUNT)
    pull_interval = PullIntervalField(required=False)
    rasa_x_writes = serializers.ChoiceField(choices(RasaXWrites), required=False)


class DefinitionBody(ChangeBody):
    """What is left out has its default, as in environments.yml."""

    name = serializers.CharField(trim_whitespace=False)
    url = serializers.CharField(trim_whitespace=False)


class ResumeBody(Body):
    """`model`: what it is to serve from now on, the backup's or another one, null for none."""

    model = serializers.CharField(allow_null=True, trim_whitespace=False)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_REASON)


def as_fields(members: dict[str, Any]) -> dict[str, Any]:
    """The members of a body in the words of the rows."""
    fields = dict(members)
    if "token" in fields:
        fields["rasa_token"] = fields.pop("token")
    if "color" in fields:
        fields["color"] = fields["color"].lower()
    if "pull_interval" in fields:
        interval = fields.pop("pull_interval")
        fields["pulls_once"] = interval is None
        fields["pull_interval"] = None if interval == LEARNED else interval
    return fields


def serialise(found: list[Environment]) -> list[Any]:
    return [EnvironmentSerializer(report).data for report in reports.reports(found)]


class Environments(NativeView):
    @extend_schema(parameters=PAGE, responses={200: paged(EnvironmentSerializer), **refusals(403)})
    def get(self, request: Request) -> Response:
        """The environments of the project; `order` is their place in the order of promotion."""
        permissions.check_can_read_environments(self.actor, self.project)
        return Response(page(request, Environment.objects.visible_to(self.actor, self.project), serialise))

    @extend_schema(request=DefinitionBody, responses={201: DefinedEnvironmentSerializer, **refusals(403, 409, 415)})
    def post(self, request: Request) -> Response:
        """Define an environment, or bring back a retired one of that name."""
        permissions.check_can_manage_environments(self.actor, self.project)
        fields = as_fields(bodies.read(request, DefinitionBody))
        made = environments.define(project=self.project, by=self.actor, **fields)
        compose = ComposeSerializer(deploying.texts_of(made)).data
        return Response(EnvironmentSerializer(reports.report(made)).data | {"compose": compose}, status=201)


class OneEnvironment(NativeView):
    @extend_schema(responses={200: EnvironmentSerializer, **refusals()})
    def get(self, request: Request, name: str) -> Response:
        """One environment."""
        return Response(EnvironmentSerializer(reports.report(self.environment(name))).data)

    @extend_schema(request=ChangeBody, responses={200: EnvironmentSerializer, **refusals(403, 409, 415)})
    def patch(self, request: Request, name: str) -> Response:
        """Change one that environments.yml does not declare."""
        environment = self.environment(name)
        permissions.check_can_manage_environments(self.actor, self.project)
        fields = as_fields(bodies.read(request, ChangeBody))
        changed = environments.update(environment=environment, by=self.actor, **fields)
        return Response(EnvironmentSerializer(reports.report(changed)).data)

    @extend_schema(responses={204: None, **refusals(403, 409)})
    def delete(self, request: Request, name: str) -> Response:
        """Retire one that environments.yml does not declare; its history stays."""
        environments.retire(environment=self.environment(name), by=self.actor)
        return Response(status=204)

    def environment(self, name: str) -> Environment:
        return find_environment(self.actor, self.project, name)


class Resume(NativeView):
    @extend_schema(request=ResumeBody, responses={200: EnvironmentSerializer, **refusals(403, 409, 415)})
    def post(self, request: Request, name: str) -> Response:
        """Decide, after a restore, what the environment serves from now on. With another model than the backup's this
        is a promotion."""
        environment = find_environment(self.actor, self.project, name)
        members = bodies.read(request, ResumeBody)
        chosen = members.pop("model")
        model = None if chosen is None else find_model(self.actor, self.project, chosen)
        resumed = freeze_actions.resume(environment=environment, model=model, by=self.actor, **members)
        return Response(EnvironmentSerializer(reports.report(resumed)).data)
