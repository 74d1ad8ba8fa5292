"""Models as Rasa X lists, takes, gives and deletes them."""

from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiRequest, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import is_installation_token
from accounts.models import Project
from accounts.models.project import DEFAULT as DEFAULT_PROJECT
from accounts.problems import BadRequest, NotFound, Unauthorized
from environments import errors, permissions, receiving
from environments.actions import evaluations, trained_models
from environments.actions.trained_models import REFUSE, SUFFIX, OnConflict
from environments.api import uploads
from environments.api.archives import archive_response
from environments.api.rasa_x.items import ItemSerializer, items
from environments.api.rasa_x.lists import LIST, part
from environments.api.rasa_x.pulls import service_token_of
from environments.api.schema import rasa_refusals
from environments.api.scope import find_model
from environments.api.views import RasaXView
from environments.models import TrainedModel
from environments.names import ARCHIVE_SUFFIX
from environments.serving import service_tokens
from environments.states import Kind

ZIP_SUFFIX = ".zip"
FIELD = "model"

TAGS = OpenApiParameter(
    "tags", many=True, description="Tags to put on the model, in the same transaction; also as form fields before it."
)
ON_CONFLICT = OpenApiParameter(
    "on_conflict",
    enum=[REFUSE, SUFFIX],
    description="`suffix` stores other bytes under a taken name as `<name>-<first 8 of the hash>`.",
)
UPLOAD: dict[str, Any] = {
    "multipart/form-data": OpenApiRequest(
        {
            "type": "object",
            "required": [FIELD],
            "properties": {
                "on_conflict": {"type": "string", "enum": [REFUSE, SUFFIX]},
                "tags": {"type": "array", "items": {"type": "string"}},
                FIELD: {"type": "string", "format": "binary", "description": "<name>.tar.gz, as the last part"},
            },
        }
    )
}
TAG = OpenApiParameter("tag", description="only the model that carries this tag")
VALIDATORS = [
    OpenApiParameter("If-None-Match", location=OpenApiParameter.HEADER, description="ETags that the client has"),
    OpenApiParameter("Range", location=OpenApiParameter.HEADER, description="one range of bytes"),
    OpenApiParameter("If-Range", location=OpenApiParameter.HEADER, description="the ETag the range belongs to"),
    OpenApiParameter("token", description="service token, see there; better sent as `Authorization: Bearer`"),
    OpenApiParameter("ETag", location=OpenApiParameter.HEADER, response=[200, 206, 304], description="the SHA-256"),
    OpenApiParameter("filename", location=OpenApiParameter.HEADER, response=[200, 206]),
]
ARCHIVE: dict[Any, Any] = {
    (200, "application/gzip"): OpenApiResponse(OpenApiTypes.BINARY, description="The archive"),
    (206, "application/gzip"): OpenApiResponse(OpenApiTypes.BINARY, description="The range that was asked for"),
    304: OpenApiResponse(description="The client has it"),
    **rasa_refusals(403, 416),
}


class ModelsView(RasaXView):
    with_active = False

    @extend_schema(
        parameters=[*LIST, TAG],
        responses={200: ItemSerializer(many=True), **rasa_refusals(403)},
    )
    def get(self, request: Request, **kwargs: str) -> Response:
        """The models of the project, newest first."""
        permissions.check_can_read_models(self.actor, self.project)
        found = TrainedModel.objects.visible_to(self.actor, self.project)
        if "tag" in request.query_params:
            found = found.tagged(request.query_params["tag"])
        found = found.latest_first().select_related("project").prefetch_related("tags")
        page, headers = part(request, found)
        return Response(items(self.project, page, with_active=self.with_active), headers=headers)

    @extend_schema(
        parameters=[TAGS, ON_CONFLICT],
        request=UPLOAD,
        responses={
            200: OpenApiResponse(ItemSerializer, description="Stored before, by this name and with these bytes"),
            201: ItemSerializer,
            **rasa_refusals(403, 409, 411, 413, 422, 507),
        },
    )
    def post(self, request: Request, **kwargs: str) -> Response:
        """Upload a model: the `.tar.gz` that `rasa train` wrote, or a zip of one unpacked, named like the model."""
        asked = request.query_params
        # Refused before the first byte is read, where query and headers suffice for it.
        receiving.check_can_receive(project=self.project, name=None, by=self.actor, tags=asked.getlist("tags"))
        _on_conflict(asked.getlist("on_conflict"))
        with uploads.receive(request, field=FIELD, max_bytes=settings.MAX_MODEL_BYTES) as upload:
            received = receiving.receive_model(
                project=self.project,
                name=_model_name(upload.filename),
                stream=upload,
                by=self.actor,
                tags=list(dict.fromkeys([*asked.getlist("tags"), *upload.fields.get("tags", [])])),
                on_conflict=_on_conflict([*asked.getlist("on_conflict"), *upload.fields.get("on_conflict", [])]),
            )
        [item] = items(self.project, [received.model], with_active=self.with_active)
        return Response(item, status=201 if received.created else 200)


class PlatformModelsView(ModelsView):
    """Rasa Platform's form of the same."""

    with_active = True


class ModelView(RasaXView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        token = service_token_of(request) if request.method in ("GET", "HEAD") else None
        if token is None:
            return super().dispatch(request, *args, **kwargs)
        found = _model_for_server(token, kwargs.get("project", DEFAULT_PROJECT), kwargs["model"])
        if "evaluation" in request.GET and request.method == "GET":
            evaluations.fetched(evaluation=request.GET["evaluation"], model=found)
        return archive_response(request, found)

    @extend_schema(parameters=VALIDATORS, responses=ARCHIVE)
    def get(self, request: Request, model: str, **kwargs: str) -> HttpResponseBase:
        """Download a model by its name.

        Rasa servers of a training environment may do so with their service token, those that hold RASA_X_TOKEN too.
        """
        return archive_response(request, find_model(self.actor, self.project, model))

    @extend_schema(parameters=VALIDATORS, responses=ARCHIVE)
    def head(self, request: Request, model: str, **kwargs: str) -> HttpResponseBase:
        """The headers of the download alone."""
        return self.get(request, model, **kwargs)

    @extend_schema(responses={204: None, **rasa_refusals(403, 409)})
    def delete(self, request: Request, model: str, **kwargs: str) -> Response:
        """Delete a model that nothing needs. 409 `model-in-use` says what does."""
        trained_models.delete(model=find_model(self.actor, self.project, model), by=self.actor)
        return Response(status=204)


def _on_conflict(values: list[str]) -> OnConflict:
    asked = set(values) or {REFUSE}
    if len(asked) > 1 or not asked <= {REFUSE, SUFFIX}:
        raise BadRequest(f"on_conflict is {REFUSE} or {SUFFIX}, said once.")
    return cast(OnConflict, asked.pop())


def _model_name(filename: str) -> str:
    """The model's name, judged as sent: only the suffix is taken off."""
    for suffix in (ARCHIVE_SUFFIX, ZIP_SUFFIX):
        if filename.endswith(suffix):
            return filename.removesuffix(suffix)
    raise errors.InvalidName(
        f"The file name {filename[:80]!r} does not end in {ARCHIVE_SUFFIX}. Name it <name>.tar.gz."
    )


def _model_for_server(token: str, project_name: str, name: str) -> TrainedModel:
    """The model that a Rasa server asks for by its name, as it does when it evaluates."""
    if is_installation_token(token):
        project = Project.objects.filter(name=project_name).first()
    else:
        environment = service_tokens.environment_of(token)
        if environment is None:
            raise Unauthorized("The service token is unknown; the Connect tab shows the right one.")
        if environment.kind != Kind.TRAINING or environment.project.name != project_name:
            raise errors.WrongServiceToken(
                f"This is the token of {environment.name} in {environment.project.name}. "
                "Only that of a training environment opens models by name, those of its project."
            )
        project = environment.project
    model = TrainedModel.objects.present().filter(project=project, name=name).defer("metadata").first()
    if project is None or model is None:
        raise NotFound(f"There is no model {name}.")
    return model
