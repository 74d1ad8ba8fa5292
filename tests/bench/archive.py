"""A large archive, and moving it over HTTP at the cost of little else: in a process of its own where it runs beside
what is measured."""

import io
import json
import multiprocessing
import os
import socket
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.archives import file, folder, rasa_metadata

BOUNDARY = "bench"
CHUNK = 1024 * 1024
PATIENCE = 600.0
# Between two moves: one that is refused at once should not become a flood.
PAUSE = 0.5


class _Weights(io.RawIOBase):
    """Bytes that compress as floating point numbers do: little."""

    def __init__(self) -> None:
        block = bytearray(os.urandom(4 * CHUNK))
        block[3::4] = bytes(byte & 3 for byte in block[3::4])
        self._block, self._at = bytes(block), 0

    def read(self, size: int = -1) -> bytes:
        start = self._at % len(self._block)
        data = self._block[start : start + size]
        self._at += len(data)
        return data + (self.read(size - len(data)) if len(data) < size else b"")


def write_archive(path: Path, name: str, megabytes: int) -> None:
    """A model archive of about so many MB."""
    metadata = json.dumps(rasa_metadata(name)).encode()
    with tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(folder(""))
        # It shrinks to about 11/12.
        archive.addfile(file("components/weights", int(megabytes * CHUNK * 1.09)), _Weights())
        archive.addfile(file("metadata.json", len(metadata)), io.BytesIO(metadata))


def upload(port: int, path: Path, token: str, *, rate: float | None = None) -> None:
    """Send the file as a new model; `rate` in bytes per second, unlimited without one."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"; filename="{path.name}"\r\n\r\n'.encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    length = len(head) + path.stat().st_size + len(tail)
    headers = (
        f"POST /api/projects/default/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection, path.open("rb") as content:
        connection.sendall(headers + head)
        if rate is None:
            connection.sendfile(content)
        else:
            _slowly(connection.sendall, content, rate)
        connection.sendall(tail)
        answer = connection.recv(65536)
    if not answer.startswith((b"HTTP/1.1 201", b"HTTP/1.1 200")):
        raise RuntimeError(f"The upload was refused: {answer[:400]!r}")


def _slowly(send: Callable[[bytes], object], content: io.BufferedReader, rate: float) -> None:
    while data := content.read(4096):
        send(data)
        time.sleep(len(data) / rate)


def download(port: int, path: str, headers: dict[str, str], *, rate: float | None = None) -> int:
    """Read a file and forget it; how many bytes of body came. `rate` as for `upload`."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", *(f"{k}: {v}" for k, v in headers.items())]
    buffer = bytearray(CHUNK if rate is None else 4096)
    with socket.socket() as connection:
        if rate is not None:  # Else the kernel takes megabytes that nobody has read.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", port))
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        start = connection.recv(len(buffer))
        head, _, body = start.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"The download was refused: {head[:400]!r}")
        total = len(body)
        while count := connection.recv_into(buffer):
            total += count
            if rate is not None:
                time.sleep(count / rate)
    return total


@contextmanager
def beside(*moves: Callable[[], object]) -> Iterator[None]:
    """Each of `moves` again and again in a process of its own, until the end."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_for_ever, args=(move,), daemon=True) for move in moves]
    for process in processes:
        process.start()
    try:
        yield
        ended = [process for process in processes if not process.is_alive()]
        if ended:
            raise RuntimeError("A transfer beside the measurement broke off.")
    finally:
        for process in processes:
            process.kill()
            process.join()


def _for_ever(move: Callable[[], object]) -> None:
    while True:
        move()
        time.sleep(PAUSE)
