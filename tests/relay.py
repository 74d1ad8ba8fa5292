"""A relay between the processes of a Rasa server and a control plane. It tells which process polled with which entity
tag, which the control plane cannot know: the workers of one server are the same to it. Linux only."""

import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import httpx


@dataclass(frozen=True)
class Poll:
    """`at` is when it came, by the monotonic clock; `status` what the control plane answered."""

    at: float
    process: int
    etag: str
    status: int


class Relay:
    """Passes polls on and notes each once it is answered."""

    def __init__(self, url: str) -> None:
        self.polls: list[Poll] = []
        self._http = httpx.Client(base_url=url, timeout=30)
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                relay._pass_on(self)

            def log_message(self, *args: object) -> None:
                """Nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _pass_on(self, request: BaseHTTPRequestHandler) -> None:
        at, etag = time.monotonic(), request.headers["If-None-Match"]
        process = process_of((request.client_address[1], self._server.server_port))
        answer = self._http.get(request.path, headers={"If-None-Match": etag})
        self.polls.append(Poll(at, process, etag.strip('"'), answer.status_code))
        request.send_response(answer.status_code)
        for name in ("ETag", "filename"):
            if name in answer.headers:
                request.send_header(name, answer.headers[name])
        if answer.status_code != 304:
            request.send_header("Content-Length", str(len(answer.content)))
        request.end_headers()
        request.wfile.write(answer.content)

    def shown(self, until: float | None = None) -> dict[int, str]:
        """What each process showed by its last poll (up to a moment)."""
        return {poll.process: poll.etag for poll in list(self.polls) if until is None or poll.at <= until}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()


def process_of(connection: tuple[int, int]) -> int:
    """The process on this machine that made a connection, which is named by its port and the one it leads to."""
    name = f"socket:[{_inode(*connection)}]"
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(descriptor.readlink()) == name:
                return int(descriptor.parts[2])
        except OSError:
            continue  # It was closed meanwhile.
    raise AssertionError(f"no process has the connection {connection}")


def _inode(port: int, to: int) -> str:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return next(row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[2].endswith(f":{to:04X}"))
