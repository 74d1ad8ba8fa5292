"""A target of notifications: a real HTTP server that keeps what it got and answers as it is told."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

Answer = tuple[int, dict[str, str]]


@dataclass(frozen=True)
class Got:
    """A request as it came. Header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Answers 200 with a body that nobody must keep, unless `answer` says otherwise or `hangs`.

    `answer(got)` gives status and headers. `tls` makes it an HTTPS server.
    """

    BODY = b"the-body-of-the-receiver-that-nobody-keeps"

    def __init__(self, answer: Callable[[Got], Answer] | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.got: list[Got] = []
        self.answer = answer or (lambda got: (200, {}))
        self.hangs = False
        self.drips = False
        self._over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            do_GET = do_POST

            def log_message(self, *args: object) -> None:
                """Nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hooks/a-secret-part"

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        got = Got(request.path, {name.lower(): value for name, value in request.headers.items()}, body)
        self.got.append(got)
        if self.hangs:
            self._over.wait(60)
            return
        if self.drips:
            self._drip(request.connection)
            return
        status, headers = self.answer(got)
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(self.BODY)))
        request.end_headers()
        request.wfile.write(self.BODY)

    def _drip(self, connection: socket.socket) -> None:
        """An answer of which a byte comes now and then, so that no single wait is long."""
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                connection.sendall(bytes([byte]))
                if self._over.wait(0.05):
                    return
        except OSError:
            return

    @property
    def bodies(self) -> list[bytes]:
        return [got.body for got in self.got]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int, seconds: float = 30) -> list[Got]:
        """What came, once it is so much."""
        deadline = time.monotonic() + seconds
        while len(self.got) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(self.got) >= count, f"{len(self.got)} of {count} came"
        return self.got
