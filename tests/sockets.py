"""Connections on which every byte is the test's."""

import contextlib
import re
import socket
from collections.abc import Iterator

from tests import multipart

TYPE = f"Content-Type: {multipart.CONTENT_TYPE}"


def length(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


class Wire:
    """Opens connections to a server and sends a request's head, with an API token."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._address = (host, port)
        self._token = token

    @contextlib.contextmanager
    def open(self, method: str, path: str, *headers: str, token: str | None = None) -> Iterator[socket.socket]:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [f"Authorization: Bearer {token or self._token}", *headers, "", ""]
        with self.connect() as connection:
            connection.sendall("\r\n".join(lines).encode())
            yield connection

    def connect(self) -> socket.socket:
        return socket.create_connection(self._address, timeout=20)


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer, read as far as it says or to the end of the connection."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while not _is_whole(received) and (data := connection.recv(65536)):
            received += data
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


def _is_whole(received: bytearray) -> bool:
    announced = re.search(rb"\r\ncontent-length: *([0-9]+)\r\n", received, re.IGNORECASE)
    end = received.find(b"\r\n\r\n") + 4
    return announced is not None and end > 3 and len(received) - end >= int(announced[1])
