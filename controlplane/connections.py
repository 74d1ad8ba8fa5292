"""What the web server is told of connections, which Django's own server takes from no application."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def close_after_refusals(application: WSGIApplication) -> WSGIApplication:
    """Say `Connection: close` with every refusal of a request that has a body.

    A refusal may leave the body unread, and granian then ends the connection; a client that keeps connections and is
    not told so sees its next request on it fail.
    """

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        has_body = environ.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in environ

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
            closing = [("Connection", "close")] if has_body and status >= "400" else []
            return start_response(status, [*headers, *closing], *more)

        return application(environ, start)

    return wrapped
