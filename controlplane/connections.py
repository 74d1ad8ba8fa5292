"""What the web server is told of connections, which Django's own server takes from no application."""

import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Seconds after which a silent client is asked whether it is still there, and between two questions; so many of them
# without an answer end the connection.
KEEPALIVE_AFTER, KEEPALIVE_EVERY, KEEPALIVE_TIMES = 60, 15, 4
# Seconds.
OPENS_WITHIN, LOOK_EVERY = 60, 0.1


def notice_clients_that_are_gone() -> None:
    """Have the system ask silent clients whether they are there: a machine that goes away in the middle of an upload
    would hold its thread and its slot for ever. Connections take these options from the socket they came in by, to
    which granian gives none. It opens that once the application is imported, so it is waited for beside.
    """
    threading.Thread(target=_watch_when_open, name="keepalive", daemon=True).start()


def _watch_when_open() -> None:
    deadline = time.monotonic() + OPENS_WITHIN
    while not watch_listeners() and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)


def watch_listeners() -> int:
    """Give the options to each TCP socket of this process that takes connections; how many there are."""
    count = 0
    for listener in _listeners():
        count += 1
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_KEEPIDLE", KEEPALIVE_AFTER),
            ("TCP_KEEPINTVL", KEEPALIVE_EVERY),
            ("TCP_KEEPCNT", KEEPALIVE_TIMES),
        ):
            if hasattr(socket, option):  # not every system has all of them
                listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return count


def _listeners() -> Iterator[socket.socket]:
    for descriptor in range(256):
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as candidate:
                is_tcp = candidate.family in (socket.AF_INET, socket.AF_INET6) and candidate.type == socket.SOCK_STREAM
                if is_tcp and candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    yield candidate


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
