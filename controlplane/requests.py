"""Requests as this application reads them: text is UTF-8, and no header can make a request that cannot be answered."""

from wsgiref.types import WSGIEnvironment

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters


class Request(WSGIRequest):
    """Django's own takes the query for text of the body's `charset`, whatever that names, and fails before any error
    handler at a Content-Type that it cannot read."""

    def _set_content_type_params(self, meta: WSGIEnvironment) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except Exception:  # the email package, which reads it, promises nothing of what it raises
            meta["CONTENT_TYPE"] = self.content_type = ""
            self.content_params = {}


class Handler(WSGIHandler):
    request_class = Request
