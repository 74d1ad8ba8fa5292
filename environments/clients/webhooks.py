"""Targets of notifications over HTTP. Knows no Django; its errors are `WebhookError` and what is below it.

A name is resolved once, every address it has is judged, and the connection goes to a judged address, so that no second
answer of a name server leads elsewhere; certificates are verified for the name all the same. Redirects are not
followed. Of the answer only the status is read. The URL is mostly a secret: no error, and no log, repeats it.
"""

import ipaddress
import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpcore

from environments import addresses
from environments.addresses import Address, Network

logging.getLogger("httpcore").setLevel(logging.WARNING)

# Seconds: to connect, until something is heard, and for all of it, the name server's answer included.
CONNECT = 4.0
HEAR = 8.0
ALL = 10.0
LONGEST_PAUSE = 3600

FAILURES = (
    *(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol),
    OSError,
)

Resolve = Callable[[str, int], list[Address]]


class WebhookError(Exception):
    """The target did not take what was sent. The text is a sentence without its address."""


class TargetForbidden(WebhookError):
    """It lies where nothing is sent: in the installation's own network."""


class TargetUnreachable(WebhookError):
    """No connection, no answer in time, or one that broke off."""


class TargetRefused(WebhookError):
    """It answered with another status than 2xx. `pause`: the seconds that it wants to be left alone, 0 if it said
    nothing of it."""

    def __init__(self, status: int, message: str, pause: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.pause = pause


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Sequence[Network] = (),
    resolve: Resolve | None = None,
    seconds: float = ALL,
) -> int:
    """Send `body` and return the status, which is 2xx. Addresses of `allowed` networks may be internal ones."""
    deadline = time.monotonic() + seconds
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    found = _judged(_in_time(resolve or _resolve, host, port, min(CONNECT, seconds)), allowed)
    sent = {"Host": parts.netloc, "Connection": "close", **headers, "Content-Length": str(len(body))}
    limits = {"connect": CONNECT, "read": HEAR, "write": HEAR, "pool": seconds}
    backend = _Backend(found, deadline)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend) as pool,
            pool.stream(
                "POST", url, headers=list(sent.items()), content=body, extensions={"timeout": limits}
            ) as response,
        ):
            return _accepted(response)
    except FAILURES as error:
        raise TargetUnreachable(_sentence(error)) from None


def _resolve(host: str, port: int) -> list[Address]:
    """Every address of the name, each once."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(answer[4][0]) for answer in answers))


def _in_time(resolve: Resolve, host: str, port: int, seconds: float) -> list[Address]:
    """What `resolve` answers. A name server is asked in a thread of its own, because that has no timeout."""
    answers: queue.SimpleQueue[list[Address]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(host, port))
        except (OSError, ValueError):
            answers.put([])

    threading.Thread(target=ask, name="resolve a webhook's name", daemon=True).start()
    try:
        found = answers.get(timeout=seconds)
    except queue.Empty:
        raise TargetUnreachable("No name server answered in time.") from None
    if not found:
        raise TargetUnreachable("Its name leads to no address.")
    return found


def _judged(found: Sequence[Address], allowed: Sequence[Network]) -> Sequence[Address]:
    """All of them, none of which may be internal: which one a connection takes is no matter of chance."""
    if not all(addresses.may_be_told(address, allowed) for address in found):
        raise TargetForbidden(
            "It lies in the installation's own network, where nothing is sent. An operator may allow that network: "
            "WEBHOOK_ALLOWED_NETWORKS."
        )
    return found


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """The system's certificate store (and SSL_CERT_FILE); costly to make, so made once."""
    return ssl.create_default_context()


class _Stream(httpcore.NetworkStream):
    """A connection on which nothing lasts beyond the deadline, however slowly it is answered."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def _left(self, timeout: float | None) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if timeout is None else min(left, timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._left(timeout)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects to one of these addresses, whatever host it is asked for."""

    def __init__(self, found: Sequence[Address], deadline: float) -> None:
        self._found = found
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        ends_at = min(self._deadline, time.monotonic() + (timeout or CONNECT))
        for address in self._found:
            left = ends_at - time.monotonic()
            if left <= 0:
                break
            try:
                stream = self._inner.connect_tcp(str(address), port, left, local_address, socket_options)
            except httpcore.ConnectError:
                continue  # The next one: a machine without IPv6 reaches none of its addresses.
            return _Stream(stream, self._deadline)
        raise httpcore.ConnectTimeout if time.monotonic() >= ends_at else httpcore.ConnectError


def _accepted(response: httpcore.Response) -> int:
    status = response.status
    if 200 <= status < 300:
        return status
    headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
    if 300 <= status < 400:
        raise TargetRefused(status, _redirect(headers.get(b"location", ""), status))
    raise TargetRefused(status, f"It answered with the status {status}.", _pause(headers.get(b"retry-after", "")))


def _redirect(location: str, status: int) -> str:
    """What is said of a redirect; where it leads is the peer's text and not repeated."""
    internal = addresses.is_internal_url(location)
    where = "to an address of the installation's own network" if internal else "to another address"
    return (
        f"It answered with a redirect {where} ({status}), which is not followed. Give the address of the target itself."
    )


def _pause(text: str) -> int:
    return min(int(text), LONGEST_PAUSE) if text.isdecimal() and text.isascii() and len(text) < 10 else 0


def _sentence(error: Exception) -> str:
    # What httpcore was told by the system is the argument of its own exception.
    reason = error.args[0] if error.args else None
    match error:
        case httpcore.TimeoutException():
            return "It did not answer in time."
        case httpcore.ConnectError() if isinstance(reason, ssl.SSLCertVerificationError):
            return "Its certificate is not one that is trusted for its name."
        case httpcore.ConnectError() if isinstance(reason, ssl.SSLError):
            return "It does not speak TLS as it should."
        case httpcore.ConnectError():
            return "No connection could be made."
        case httpcore.RemoteProtocolError():
            return "It answered, but not as a web server does, or broke off."
    return "The connection broke off."
