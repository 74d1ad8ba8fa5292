"""A bare model server: gives Rasa servers the archives it was given, by name."""

import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class ArchiveServer:
    """`archives` by name; change it while it runs. `.url` and a slash and the name is where one is."""

    def __init__(self) -> None:
        self.archives: dict[str, bytes] = {}
        handler = type("Handler", (_Handler,), {"archives": self.archives})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "ArchiveServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    archives: dict[str, bytes]

    def do_GET(self) -> None:
        archive = self.archives.get(urlsplit(self.path).path.lstrip("/"), b"")
        etag = f'"{sha256(archive).hexdigest()}"'
        status = 404 if not archive else 304 if self.headers.get("If-None-Match") == etag else 200
        self.send_response(status)
        body = archive if status == 200 else b""
        for name, value in (("ETag", etag), ("filename", "model.tar.gz"), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the test's standard error."""
