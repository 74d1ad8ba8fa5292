"""A Rasa X of one project, as old or as odd as a test wants it."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

TOKEN = "a-token-of-that-rasa-x"


class FakeRasaX:
    """`models` are `{name: (archive, tags)}`. `place`: where its models are; `page`: how many it lists at most;
    `breaks_off`: names whose next downloads end in the middle; `slow`: seconds before each download."""

    def __init__(self) -> None:
        self.models: dict[str, tuple[bytes, list[str]]] = {}
        self.answers: dict[str, Any] = {"/api/environments": [], "/api/roles": [], "/api/users": []}
        self.place = "/api/projects/default/models"
        self.page: int | None = None
        self.in_query = False
        self.breaks_off: dict[str, int] = {}
        self.slow = 0.0
        self.downloads: list[str] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.answer(self)

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                sent = json.loads(self.rfile.read(length))
                good = sent == {"username": "ana", "password": "her password"}
                fake.send(self, 200 if good else 401, {"access_token": TOKEN} if good else {"message": "no"})

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> "FakeRasaX":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        address = urlsplit(request.path)
        query, path = dict(parse_qsl(address.query)), unquote(address.path)
        header = "" if self.in_query else request.headers.get("Authorization", "")
        if TOKEN not in (query.get("api_token") if self.in_query else None, header.removeprefix("Bearer ")):
            self.send(request, 401, {"exception": "Unauthorized", "reasons": ["Auth required."]})
        elif path == self.place:
            self.send_list(request, [self.item(name) for name in self.models], query)
        elif path.rpartition("/")[0] == self.place.removesuffix("/nlu") and path.rpartition("/")[2] in self.models:
            self.send_archive(request, path.rpartition("/")[2])
        elif isinstance(self.answers.get(path), list):
            self.send_list(request, self.answers[path], query)
        elif path in self.answers:
            status, headers, body = self.answers[path]
            self.send(request, status, body, headers)
        else:
            self.send(request, 404, {"status": "failure", "message": "Not found."})

    def item(self, name: str) -> dict[str, Any]:
        return {"model": name, "hash": f"md5-of-{name}", "tags": self.models[name][1], "trained_at": 1.5}

    def send_list(self, request: BaseHTTPRequestHandler, items: list[Any], query: dict[str, str]) -> None:
        start = int(query.get("offset", 0))
        limit = min(int(query.get("limit", len(items))), self.page or len(items))
        self.send(request, 200, items[start : start + limit], {"X-Total-Count": str(len(items))})

    def send(
        self, request: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str] | None = None
    ) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    def send_archive(self, request: BaseHTTPRequestHandler, name: str) -> None:
        self.downloads.append(name)
        time.sleep(self.slow)
        archive, _ = self.models[name]
        left = self.breaks_off.get(name, 0)
        self.breaks_off[name] = left - 1
        if left > 0:
            request.send_response(200)
            request.send_header("Content-Length", str(len(archive)))
            request.end_headers()
            request.wfile.write(archive[: len(archive) // 2])
            request.close_connection = True
        else:
            self.send(request, 200, archive, {"ETag": f'"md5-of-{name}"', "filename": f"{name}.tar.gz"})
