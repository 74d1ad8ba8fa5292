"""What Rasa X tells of the installation: health and versions as of the last cross-check, and configuration."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import jwts
from accounts.authentication import is_installation_token
from accounts.models import project, signing_key
from accounts.problems import Unauthorized
from environments import RASA_X_VERSION, permissions
from environments.api.rasa_x.pulls import service_token_of
from environments.api.schema import rasa_refusals, rasa_refusals_to_anybody
from environments.api.views import RasaXView
from environments.compose import rasa_files
from environments.models import Environment, ServerCheck
from environments.names import PRODUCTION, WORKER
from environments.serving import service_tokens
from environments.states import Kind

# Of the two environments that Rasa X knows, the first training one is its worker. `/health` and `/version` answer
# anybody: they name no other environment.
INSTALLATION = "${RASA_X_TOKEN}"
CREDENTIALS = "rest:\n"


class ServerSerializer(serializers.Serializer[Any]):
    """`status`: 200 if the server answered the last cross-check, else 503."""

    version = serializers.CharField(allow_null=True)
    minimum_compatible_version = serializers.CharField(allow_null=True)
    status = serializers.IntegerField()


class MigrationSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    progress_in_percent = serializers.IntegerField()


class HealthSerializer(serializers.Serializer[Any]):
    production = ServerSerializer()
    worker = ServerSerializer()
    database_migration = MigrationSerializer()


class KeySerializer(serializers.Serializer[Any]):
    alg = serializers.CharField()
    key = serializers.CharField()


class RasaVersionsSerializer(serializers.Serializer[Any]):
    production = serializers.CharField(allow_null=True)
    worker = serializers.CharField(allow_null=True)


VERSION = inline_serializer(
    "Version",
    {
        "rasa": RasaVersionsSerializer(),
        "rasa-x": serializers.CharField(),
        "enterprise": serializers.BooleanField(),
        "keys": KeySerializer(many=True),
    },
)


class ConfigSerializer(serializers.Serializer[Any]):
    """Two YAML documents."""

    endpoints = serializers.CharField()
    credentials = serializers.CharField()


class OpenView(RasaXView):
    """Answers anybody."""

    authentication_classes = ()
    permission_classes = ()


class HealthView(OpenView):
    @extend_schema(auth=[], responses={200: HealthSerializer, **rasa_refusals_to_anybody()})
    def get(self, request: Request) -> Response:
        """How production's and the worker's Rasa server answered the last cross-check."""
        checks = _checks()
        # A process that answers has migrated before.
        migration = {"status": "completed", "progress_in_percent": 100}
        return Response(
            {role: _health(checks.get(role)) for role in (PRODUCTION, WORKER)} | {"database_migration": migration}
        )


class VersionView(OpenView):
    @extend_schema(auth=[], responses={200: VERSION, **rasa_refusals_to_anybody()})
    def get(self, request: Request) -> Response:
        """The versions of the Rasa servers, and of Rasa X whose routes these are; keys to verify users' JWTs with."""
        checks = _checks()
        versions = {role: checks[role].version or None if role in checks else None for role in (PRODUCTION, WORKER)}
        # A Rasa server verifies with the first one, and asks again when a signature does not fit.
        keys = [{"alg": signing_key.ALGORITHM, "key": key.public_key} for key in jwts.published()]
        # `enterprise`: environments and roles were that edition's.
        return Response({"rasa": versions, "rasa-x": RASA_X_VERSION, "enterprise": True, "keys": keys})


class ConfigView(RasaXView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        token = service_token_of(request) if request.method in ("GET", "HEAD") else None
        if token is None:
            return super().dispatch(request, *args, **kwargs)
        environment = service_tokens.environment_of(token)
        if environment is None and not is_installation_token(token):
            raise Unauthorized("The service token is unknown; the Connect tab shows the right one.")
        return JsonResponse(_config(environment or _environments().filter(name=PRODUCTION).first()))

    @extend_schema(
        parameters=[OpenApiParameter("token", description="a service token; better sent as `Authorization: Bearer`")],
        responses={200: ConfigSerializer, **rasa_refusals(403)},
    )
    def get(self, request: Request) -> Response:
        """What a Rasa server puts into its endpoints.yml and credentials.yml: of the token's environment, else of
        production."""
        permissions.check_can_read_environments(self.actor, self.project)
        return Response(_config(_environments().filter(name=PRODUCTION).first()))


def _environments() -> Any:
    return Environment.objects.active().filter(project__name=project.DEFAULT).select_related("project", "follows")


def _checks() -> dict[str, ServerCheck]:
    """The last cross-check of production and of the worker, where there was one."""
    checks = ServerCheck.objects.filter(environment__in=_environments()).select_related("environment")
    found: dict[str, ServerCheck] = {}
    for check in checks.order_by("environment__order", "environment__name"):
        if check.environment.name == PRODUCTION:
            found[PRODUCTION] = check
        elif check.environment.kind == Kind.TRAINING:
            found.setdefault(WORKER, check)
    return found


def _health(check: ServerCheck | None) -> dict[str, Any]:
    return {
        "version": check.version or None if check else None,
        "minimum_compatible_version": check.minimum_compatible_version or None if check else None,
        "status": 200 if check and check.reached_at and not check.failures else 503,
    }


def _config(environment: Environment | None) -> dict[str, str]:
    """No secret is in it: Rasa fills in the variable."""
    name = environment.name if environment else PRODUCTION
    models = rasa_files.models(
        url=settings.PUBLIC_URL,
        project=environment.project.name if environment else project.DEFAULT,
        tag=environment.tag_name if environment else PRODUCTION,
        environment=name,
        token=INSTALLATION,
        interval=rasa_files.interval(
            environment.pull_interval if environment else None, pulls_once=bool(environment and environment.pulls_once)
        ),
    )
    return {"endpoints": rasa_files.section_text("models", models), "credentials": CREDENTIALS}
