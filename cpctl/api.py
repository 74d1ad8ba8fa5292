"""The HTTP API as the commands use it: one request at a time, tried again where that is safe and helps.

A request that came to nothing (503 or 429 with `Retry-After`, no connection) is repeated whatever it is. One whose
answer was lost is repeated only where asking twice does no more than asking once.
"""

import json
import random
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote

import httpx

from cpctl import __version__, failures
from cpctl.accounts import Account
from cpctl.failures import Failure, usage
from cpctl.terminal import Terminal

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
# Trying again at all: for a command that has just been typed, and for one that waits for something that goes on.
PATIENCE = 10.0
PATIENCE_WHILE_WAITING = 300.0
FIRST_PAUSE, LONGEST_PAUSE = 0.3, 5.0
# `Retry-After` may name more than the patience for an outage: the control plane is there, and said when to come.
LONGEST_RETRY_AFTER = 120.0

NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Document = dict[str, Any]
Query = Mapping[str, Any]


def segment(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def trusted(ca_file: str) -> ssl.SSLContext:
    """Whom to trust: what `ca_file` holds, else the public authorities and those of this machine."""
    if not ca_file:
        context = httpx.create_ssl_context()
        context.load_default_certs()
        return context
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise usage(f"The CA file {ca_file} cannot be used: {error}. It holds certificates in PEM.") from error


def document_of(response: httpx.Response) -> Any:
    """What an answer of the control plane holds; another server's is a Failure."""
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise failures.of_another(response) from error


class Api:
    """The control plane as one account sees one project of it. Errors are `Failure`s."""

    def __init__(self, account: Account, project: str, terminal: Terminal) -> None:
        self.url = account.url
        self.project = project
        self.terminal = terminal
        # Raised by whoever waits for something that goes on without us.
        self.patience = PATIENCE
        headers = {"User-Agent": f"cpctl/{__version__}", "Accept": "application/json"}
        if account.token:
            headers["Authorization"] = f"Bearer {account.token}"
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        self._http = httpx.Client(headers=headers, timeout=timeout, verify=trusted(account.ca_file))

    def close(self) -> None:
        self._http.close()

    # What commands call

    def get(self, path: str, query: Query | None = None) -> Any:
        """The document at a native route, `path` below `/api/v1/`. `wait` in the query is waited for."""
        held = float((query or {}).get("wait", 0))
        request = self._native(
            "GET", path, query, timeout=httpx.Timeout(ANSWER_SECONDS + held, connect=CONNECT_SECONDS)
        )
        return document_of(self._answer(request, repeatable=True))

    def post(self, path: str, body: Document | None = None, *, repeatable: bool = False) -> tuple[int, Any]:
        """(status, document) of a POST to a native route."""
        answer = self._answer(self._native("POST", path, None, json=body or {}), repeatable=repeatable)
        return answer.status_code, document_of(answer) if answer.content else None

    def sign_in(self, username: str, password: str) -> str:
        """A token that is good for eight hours."""
        body = {"username": username, "password": password}
        answer = self._answer(self._http.build_request("POST", f"{self.url}/api/auth", json=body), repeatable=False)
        return str(document_of(answer)["access_token"])

    def pages(self, path: str, query: Query, limit: int) -> list[Any]:
        """The newest `limit` items of a list, over as many pages as it takes."""
        found: list[Any] = []
        asked = {**query, "limit": min(limit, 500)}
        while True:
            document = self.get(path, asked)
            found += document["results"]
            following = document["next"]
            if not following or len(found) >= limit:
                return found[:limit]
            # Of `next` only the cursor: the host in it is what the server takes for its own.
            asked["cursor"] = httpx.URL(following).params["cursor"]

    def upload(self, url: str, query: Query, *, field: str, name: str, file: IO[bytes]) -> tuple[int, Any]:
        """Send a file as multipart, with progress. The same bytes again are no conflict: a lost answer is repeated."""
        size = file.seek(0, 2)
        watched = _Watched(file, size, f"sending {name}", self.terminal)

        def request() -> httpx.Request:
            file.seek(0)
            files = {field: (name, cast(IO[bytes], watched), "application/octet-stream")}
            timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, read=600)
            return self._http.build_request("POST", f"{self.url}{url}", params=query, files=files, timeout=timeout)

        try:
            answer = self._answer(request, repeatable=True)
        finally:
            self.terminal.done()
        return answer.status_code, document_of(answer)

    @contextmanager
    def download(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """One answer as it comes; the caller reads its body, and asks again where that is needed."""
        request = self._http.build_request("GET", f"{self.url}{url}", headers={"Accept": "*/*", **headers})
        response = self._http.send(request, stream=True)
        try:
            yield response
        finally:
            response.close()

    # How they are sent

    def _native(self, method: str, path: str, query: Query | None, **more: Any) -> httpx.Request:
        params = {"project": self.project, **(query or {})}
        return self._http.build_request(method, f"{self.url}/api/v1/{path}", params=params, **more)

    def _answer(self, request: Any, *, repeatable: bool) -> httpx.Response:
        """The answer, read whole; anything but 2xx is a Failure. `request` may be a function that makes it anew."""
        retry = Retry(self)
        while True:
            made = request() if callable(request) else request
            try:
                response = self._http.send(made)
            except httpx.TransportError as error:
                if not repeatable and not isinstance(error, NOT_CONNECTED):
                    raise self._lost(error) from error
                retry.after_silence(error)
                continue
            if response.is_success:
                retry.over()
                return response
            retry.after_refusal(response, repeatable=repeatable)

    def _lost(self, error: httpx.TransportError) -> Failure:
        failure = failures.unreachable(self.url, _why(error))
        return Failure(
            failure.exit,
            f"The answer was lost ({_why(error)}), so it may have been done: look before you repeat it.",
            title=failure.title,
        )


class Retry:
    """When to try again, for one request. Told of what came in place of an answer, it sleeps or raises the Failure."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._began: float | None = None
        self._pause = FIRST_PAUSE

    def after_silence(self, error: httpx.TransportError) -> None:
        """No answer came."""
        failure = failures.unreachable(self._api.url, _why(error))
        if _is_hopeless(error):
            raise failure from error
        self._wait_or(failure)

    def after_refusal(self, response: httpx.Response, *, repeatable: bool) -> None:
        failure = failures.of_response(response)
        named = _retry_after(response) if response.status_code in (429, 503) else None
        if named is not None:
            self._wait_or(failure, pause=named)
        elif repeatable and response.status_code in failures.AWAY:
            self._wait_or(failure)
        else:
            raise failure

    def over(self) -> None:
        if self._began is not None:
            self._api.terminal.say("The control plane answers again.", "dim")

    def _wait_or(self, failure: Failure, pause: float | None = None) -> None:
        """`pause` is what the control plane asked for: it is there, and gets more patience than an outage."""
        now, most = time.monotonic(), self._api.patience
        if pause is not None:
            most = max(most, LONGEST_RETRY_AFTER)
        began = now if self._began is None else self._began
        if now - began + (pause or 0) >= most:
            raise failure
        if self._began is None:
            self._api.terminal.say(f"{failure.sentence()} Trying again for {most:.0f} s.", "yellow")
            self._began = began
        time.sleep((self._pause if pause is None else pause) * random.uniform(1, 1.2))  # noqa: S311  # spreads callers
        self._pause = min(self._pause * 2, LONGEST_PAUSE)


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 7 else None


def _is_hopeless(error: httpx.TransportError) -> bool:
    """A certificate that is not trusted now will not be in a second, nor will a protocol that is not spoken."""
    return isinstance(error, httpx.UnsupportedProtocol | httpx.ProxyError) or "CERTIFICATE" in str(error)


def _why(error: httpx.TransportError) -> str:
    text = str(error).strip()
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return f"its certificate is not trusted: {text.rpartition(':')[0]}; a private authority is named by --ca-file"
    return text or type(error).__name__


class _Watched:
    """A file that tells how much of it was read."""

    def __init__(self, file: IO[bytes], size: int, label: str, terminal: Terminal) -> None:
        self._file = file
        self._size = size
        self._label = label
        self._terminal = terminal

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if data and self._size:
            self._terminal.transfer(self._label, self._file.tell() / self._size)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(64 * 1024), b"")


def open_file(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise usage(f"{path} cannot be read: {error.strerror}.") from error
