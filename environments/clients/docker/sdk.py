"""The SDK's client for an engine, made so that neither the machine's proxies nor its docker configuration change it."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
from docker.transport import unixconn

from environments.clients.docker.errors import told

# One line for each request says nothing.
logging.getLogger("docker").setLevel(logging.WARNING)

UNIX = "unix://"
OLDEST = "1.35"
PIECE = 64 * 1024


class _Connection(unixconn.UnixHTTPConnection):  # type: ignore[misc]  # the SDK has no types
    """One to a socket that does not leave it open where nobody listens, as the SDK's own does."""

    def connect(self) -> None:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.settimeout(self.timeout)
            made.connect(self.unix_socket)
        except OSError:
            made.close()
            raise
        self.sock = made


unixconn.UnixHTTPConnection = _Connection


@contextmanager
def connected(url: str, timeout: float) -> Iterator[docker.APIClient]:
    """A client that speaks the engine's own version of the API, for which the engine is asked. Seconds bound each
    answer; errors are those of `errors`."""
    with told():
        _knock(url, timeout)
        client = _client(url, _version(url, timeout), timeout)
        try:
            yield client
        finally:
            client.close()


def _knock(url: str, timeout: float) -> None:
    """Connect once and hang up: what keeps it from that says more than the error that the SDK makes of it."""
    if url.startswith(UNIX):
        with socket.socket(socket.AF_UNIX) as tried:
            tried.settimeout(timeout)
            tried.connect(url.removeprefix(UNIX))


def _version(url: str, timeout: float) -> str:
    client = _client(url, OLDEST, timeout)
    try:
        return str(client.version(api_version=False).get("ApiVersion", OLDEST))
    finally:
        client.close()


def _client(url: str, version: str, timeout: float) -> docker.APIClient:
    client = docker.APIClient(base_url=url, version=version, timeout=timeout)
    # Variables such as HTTP_PROXY are for the internet.
    client.trust_env = False
    return client


def streamed(client: docker.APIClient, path: str, silence: float | None, /, **params: str | int) -> Iterator[bytes]:
    """The body of a GET in pieces, as they come. `silence`: the longest between two, in seconds. The SDK's own streams
    have no such bound."""
    url = f"{client.base_url}/v{client.api_version}{path}"
    # Asked for, an engine packs what it sends.
    plain = {"Accept-Encoding": "identity"}
    with client.get(url, params=params, stream=True, headers=plain, timeout=(client.timeout, silence)) as response:
        _check(response)
        yield from response.raw.stream(PIECE)


def frames(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What a container printed to both of its streams: each piece of it stands behind eight bytes, of which four are
    its length."""
    rest = b""
    for piece in pieces:
        rest += piece
        while len(rest) >= 8 and len(rest) >= 8 + (length := int.from_bytes(rest[4:8])):
            yield rest[8 : 8 + length]
            rest = rest[8 + length :]


def _check(response: requests.Response) -> None:
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        raise docker.errors.create_api_error_from_http_exception(error) from error
