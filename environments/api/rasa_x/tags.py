"""Put a tag on a model and take it away: of an environment's tag, a promotion."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from environments.actions import tags
from environments.api.schema import rasa_refusals
from environments.api.scope import find_model
from environments.api.views import RasaXView


class ModelTagView(RasaXView):
    @extend_schema(
        request=None,
        responses={204: OpenApiResponse(description="The model has the tag"), **rasa_refusals(403, 409)},
    )
    def put(self, request: Request, model: str, tag: str, **kwargs: str) -> Response:
        """Give the tag to the model; whatever model had it loses it. `active` is another name of `production`."""
        found = find_model(self.actor, self.project, model)
        tags.put(project=self.project, tag=tag, model=found, by=self.actor)
        return Response(status=204)

    @extend_schema(
        responses={204: OpenApiResponse(description="The model no longer has the tag"), **rasa_refusals(403, 409)}
    )
    def delete(self, request: Request, model: str, tag: str, **kwargs: str) -> Response:
        """Take the tag from the model; an environment is left without one."""
        found = find_model(self.actor, self.project, model)
        tags.remove(project=self.project, tag=tag, model=found, by=self.actor)
        return Response(status=204)
