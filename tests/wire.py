"""Requests as they come off the wire, byte for byte: Django's test client would repair them."""

import io
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from controlplane.requests import Handler

HANDLER = Handler()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]

    def json(self) -> Any:
        return json.loads(self.body)


def ask(method: str, target: bytes, *, body: bytes = b"", **environ: str) -> Answer:
    """`target` is path and query as in the request line; `environ` holds headers the WSGI way (`HTTP_ACCEPT`)."""
    path, _, query = target.partition(b"?")
    told: list[Any] = []
    request = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        **({"CONTENT_LENGTH": str(len(body))} if body else {}),
        **environ,
    }
    answer = HANDLER(request, lambda status, headers, *_: told.append((status, headers)))
    try:
        read = b"".join(answer)
    finally:
        answer.close()
    status, headers = told[0]
    return Answer(int(status[:3]), dict(headers), read)
