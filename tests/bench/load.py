"""A load generator that costs little itself: raw sockets, one prepared request repeated on each connection."""

import socket
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """Requests answered per second, and latencies in seconds."""

    rate: float
    median: float
    p99: float


def prepared(path: str, headers: dict[str, str]) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def run(port: int, requests: list[bytes], *, seconds: float, expected: int) -> Load:
    """One connection for each of `requests`, each repeated until the time is over. Any other status is an error."""
    stop = time.monotonic() + seconds
    latencies: list[float] = []
    threads = [threading.Thread(target=_repeat, args=(port, data, stop, expected, latencies)) for data in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ordered = sorted(latencies)
    if not ordered:
        raise RuntimeError("No request was answered.")
    return Load(len(ordered) / seconds, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)])


def _repeat(port: int, request: bytes, stop: float, expected: int, latencies: list[float]) -> None:
    status = f"HTTP/1.1 {expected}".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        while (start := time.monotonic()) < stop:
            connection.sendall(request)
            answer = connection.recv(65536)
            if not answer.startswith(status):
                raise RuntimeError(f"{expected} was expected: {answer[:200]!r}")
            latencies.append(time.monotonic() - start)
