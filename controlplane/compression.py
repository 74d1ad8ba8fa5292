"""What browsers read is sent compressed: pages, styles, scripts and icons, about a quarter of their bytes.

Nothing else is: an archive is compressed already, and what Rasa servers and scripts get keeps the strong ETag by which
a poll proves its model. Django adds random bytes to each answer, so that its length tells nobody of a secret in it.
"""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

TYPES = frozenset(("text/html", "text/css", "text/javascript", "application/javascript", "image/svg+xml"))


class Compression(GZipMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """A part of a file (206) stays the bytes of that part."""
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if response.status_code == 206 or kind not in TYPES:
            return response
        return super().process_response(request, response)
