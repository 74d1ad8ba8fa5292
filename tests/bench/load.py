"""A load generator that costs little itself: one thread, raw sockets, prepared requests.

Closed loop (`repeat`): each connection sends its next request when the last is answered. Open loop (`at_rate`):
requests are due at fixed times, whatever the server does, and are measured from when they were due.
"""

import json
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle

BODILESS = (b"204", b"304")
SLOWEST = 60.0


@dataclass(frozen=True)
class Load:
    """How many requests were answered, how many per second, and latencies in seconds."""

    count: int
    rate: float
    median: float
    p99: float
    worst: float


def prepared(path: str, headers: dict[str, str], *, method: str = "GET", body: object = None) -> bytes:
    """A request as it goes over the wire; `body` is sent as JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        headers = {**headers, "Content-Type": "application/json", "Content-Length": str(len(content))}
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


class Connection:
    """A kept-alive connection with at most one request under way, due at `due`."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SLOWEST)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self._answer = b""

    def send(self, request: bytes, due: float) -> None:
        self.due, self._answer = due, b""
        self.socket.sendall(request)

    def answered(self, expected: Sequence[int]) -> bool:
        """Read what came; whether the answer is whole. Any status but those expected is an error."""
        data = self.socket.recv(262144)
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not data or (separator and int(head[9:12]) not in expected):
            raise RuntimeError(f"{expected} was expected: {self._answer[:400]!r}")
        return bool(separator) and (head[9:12] in BODILESS or len(body) >= _length(head))


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise RuntimeError(f"An answer without a Content-Length: {head!r}")


class Connections:
    """Connections whose answers are waited for together."""

    def __init__(self, port: int, number: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self.idle = [self.open() for _ in range(number)]

    def open(self) -> Connection:
        connection = Connection(self._port)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        return connection

    def readable(self, timeout: float) -> Iterator[Connection]:
        return (key.data for key, _ in self._selector.select(timeout))

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()


@contextmanager
def connected(port: int, number: int) -> Iterator[Connections]:
    connections = Connections(port, number)
    try:
        yield connections
    finally:
        connections.close()


def repeat(port: int, requests: Sequence[Sequence[bytes]], *, seconds: float, expected: Sequence[int]) -> Load:
    """One connection for each of `requests`, which sends them in turn until the time is over, once at the least."""
    latencies: list[float] = []
    begun = time.perf_counter()
    with connected(port, len(requests)) as connections:
        turns = {connection: cycle(own) for connection, own in zip(connections.idle, requests, strict=True)}
        for connection, turn in turns.items():
            connection.send(next(turn), time.perf_counter())
        while (now := time.perf_counter()) < begun + seconds or not latencies:
            for connection in connections.readable(max(begun + seconds - now, 0.1)):
                if connection.answered(expected):
                    now = time.perf_counter()
                    latencies.append(now - connection.due)
                    connection.send(next(turns[connection]), now)
    return _load(latencies, time.perf_counter() - begun)


def at_rate(port: int, requests: Sequence[bytes], *, rate: float, seconds: float, expected: Sequence[int]) -> Load:
    """`requests` in turn at `rate` per second, on as many connections as it takes."""
    latencies: list[float] = []
    turn, count = cycle(requests), int(rate * seconds)
    begun, sent = time.perf_counter(), 0
    with connected(port, 8) as connections:
        while len(latencies) < count:
            now = time.perf_counter()
            while sent < count and (due := begun + sent / rate) <= now:
                connection = connections.idle.pop() if connections.idle else connections.open()
                connection.send(next(turn), due)
                sent += 1
            wait = begun + sent / rate - now if sent < count else SLOWEST
            for connection in connections.readable(max(wait, 0)):
                if connection.answered(expected):
                    latencies.append(time.perf_counter() - connection.due)
                    connections.idle.append(connection)
    return _load(latencies, time.perf_counter() - begun)


def _load(latencies: list[float], seconds: float) -> Load:
    ordered = sorted(latencies)
    return Load(
        len(ordered), len(ordered) / seconds, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1]
    )
