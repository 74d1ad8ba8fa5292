"""Services that tests may take away: a TCP proxy in front of a standing one, and a Redis server of a test's own."""

import shutil
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis

from tests import live, services

PIECE = 65536


class Proxy:
    """Leads to the service at `url`, under `self.url`. `cut()`: connections break and new ones are refused. `hang()`:
    connections are taken and stand, and nothing comes through. `mend()`: all is well, what was held goes on."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname, parts.port)
        self.port = live.free_port()
        self.url = urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{self.port}")))
        self._flows = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.mend()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.cut()

    def mend(self) -> None:
        self._flows.set()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def hang(self) -> None:
        self._flows.clear()

    def cut(self) -> None:
        if self._listener:
            # The thread in accept() holds the socket open: shut down, it lets go.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            broken, self._open = self._open, set()
        for end in broken:
            self._close(end)
        self._flows.set()

    @staticmethod
    def _close(end: socket.socket) -> None:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(near)
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._flows.wait()
        try:
            far = socket.create_connection(self.target, timeout=10)
        except OSError:
            self._close(near)
            return
        far.settimeout(None)
        with self._lock:
            self._open.add(far)
        threading.Thread(target=self._pump, args=(far, near), daemon=True).start()
        self._pump(near, far)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                self._flows.wait()
                sink.sendall(data)
        for end in (source, sink):
            with self._lock:
                self._open.discard(end)
            self._close(end)


class RedisServer(live.Process):
    """A Redis server of a test's own, in memory."""

    def __init__(self, folder: Path) -> None:
        executable = shutil.which("redis-server")
        if executable is None:
            (pytest.fail if services.required() else pytest.skip)("no redis-server was found")
        port = live.free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        command = [executable, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        super().__init__(command, folder=folder, environment={}, log=folder / "redis.log")
        live.wait_until(self.is_up, 10, "an answer of the Redis server")

    def ask(self, *command: Any) -> Any:
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            return client.execute_command(*command)

    def is_up(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.ask("PING"))
        return False
