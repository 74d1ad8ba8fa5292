"""A server that answers as a test wrote it down: what a real control plane does only on a bad day."""

import json
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Scripted:
    """`answers` are given in turn, the last one again and again: (status, headers, body), or a callable that gets the
    handler. `requests` are (method, path, headers) as they came."""

    def __init__(self, certificate: Path | None = None) -> None:
        """`certificate` with its key: speak TLS."""
        self.certificate = certificate
        self.answers: list[Any] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def __enter__(self) -> "Scripted":
        handler = type("Handler", (_Handler,), {"script": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self.url = self.url.replace("http:", "https:")
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next(self) -> Any:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def answer(status: int, document: Any, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(document).encode()


def problem(status: int, code: str, detail: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    document = {"type": f"/problems/{code}", "title": code.capitalize(), "status": status, "detail": detail}
    return answer(status, document, **headers)


class _Handler(BaseHTTPRequestHandler):
    script: Scripted
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.script.requests.append((self.command, self.path, dict(self.headers)))
        given = self.script.next()
        with suppress(ConnectionError):
            if callable(given):
                given(self)
            else:
                self.send(*given)

    do_GET = do_POST = _answer

    def send(self, status: int, headers: dict[str, str], body: bytes, *, cut: int | None = None) -> None:
        """With `cut` only so many bytes come, then the connection ends."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True

    def hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the test's standard error."""
