"""The OpenAPI document as it is served: anybody may ask, and it takes a second to write, so a process does it once."""

import threading
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

_writing = threading.Lock()
_written: dict[str, str | bytes] = {}


class DocumentView(SpectacularAPIView):
    """In YAML, or in JSON for who accepts that."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer = request.accepted_renderer
        kind = renderer.media_type
        with _writing:
            if kind not in _written:
                document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
                _written[kind] = renderer.render(document)
        return HttpResponse(_written[kind], content_type=f"{kind}; charset=utf-8")
