"""A Rasa server over HTTP (rasa-facts, section 3). Knows no Django; its errors are `RasaError` and what is below it.

The server takes its token in the query alone, so no URL ever reaches a log, an error or a caller: httpx's own logging
is quieted and its exceptions, which repeat URLs, are replaced.
"""

import json
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import httpx

logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

TIMEOUT = 5.0
CHAT_TIMEOUT = 60.0
# How long a Rasa server lets a request last before it answers 503 (its --response-timeout).
TRAINING_TIMEOUT = 3600.0

MAX_SMALL_BODY = 1024**2
MAX_TRACKER_BODY = 64 * 1024**2
# A report names every example it was made from.
MAX_REPORT_BODY = 64 * 1024**2
# The one Content-Type by which a Rasa server knows that test data is YAML; of any other it takes it for JSON.
YAML_TYPE = "application/x-yaml"
MAX_MESSAGE = 4000


class RasaError(Exception):
    """The server did not do what it was asked. The text is a sentence without any URL."""


class RasaUnreachable(RasaError):
    """No connection, no answer in time, or an answer that broke off."""


class NotRasa(RasaUnreachable):
    """Something answered, but not as a Rasa server does."""


class RasaRefused(RasaError):
    """The server answered with an error; `reason` is Rasa's name for it (`TrainingError`), "" where it gave none."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def model_was_missing(self) -> bool:
        """Of a test: the model was not loaded. Rasa 3.6 then ends its sentence where the error should stand."""
        return self.reason == "TestingError" and self.message.rstrip().endswith("Error:")


@dataclass(frozen=True)
class Version:
    version: str
    minimum_compatible_version: str


@dataclass(frozen=True)
class Status:
    """`model_file` is the name the archive was saved under, `model_id` the one in its metadata."""

    model_file: str
    model_id: str
    active_training_jobs: int = 0


class Trained:
    """The archive that a training made, while it arrives. `filename` is the server's own name for it, with suffix."""

    def __init__(self, filename: str, response: httpx.Response) -> None:
        self.filename = filename
        self._response = response
        self._chunks = _chunks(response)
        self._rest = b""

    def break_off(self) -> None:
        """End the transfer, from another thread: whoever reads gets RasaUnreachable."""
        stream = self._response.extensions.get("network_stream")
        connection = stream.get_extra_info("socket") if stream else None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def read(self, size: int) -> bytes:
        """At most `size` bytes, b"" at the end. Raises RasaUnreachable if the answer breaks off."""
        if not self._rest:
            self._rest = next(self._chunks, b"")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """The system's certificate store (and SSL_CERT_FILE); costly to make, so made once."""
    return ssl.create_default_context()


def _sentence(error: httpx.HTTPError | httpx.InvalidURL | httpx.StreamError) -> str:
    match error:
        case httpx.ConnectTimeout() | httpx.ReadTimeout() | httpx.WriteTimeout() | httpx.PoolTimeout():
            return "It did not answer in time."
        case httpx.ConnectError():
            return "No connection could be made."
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return "Its URL cannot be used."
    return "The connection broke off."


@contextmanager
def _wrapped() -> Iterator[None]:
    """httpx's errors as this module's. `from None`: the original may repeat the URL with the token in it."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise RasaUnreachable(_sentence(error)) from None


def _body(response: httpx.Response, limit: int, deadline: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > limit:
            raise NotRasa(f"Its answer is larger than {limit} bytes.")
        if time.monotonic() > deadline:
            raise RasaUnreachable("It did not answer in time.")
    return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise NotRasa("Its answer is not that of a Rasa server.") from None


def _refusal(status: int, body: bytes) -> RasaRefused:
    """Rasa's own words where the body has Rasa's shape; the body of anything else is not repeated."""
    try:
        document = _json(body)
    except NotRasa:
        document = None
    if isinstance(document, dict) and document.get("status") == "failure":
        reason, message = _words(document.get("reason")), _words(document.get("message"))
        return RasaRefused(status, reason[:100], message[:MAX_MESSAGE])
    if 300 <= status < 400:
        return RasaRefused(status, "", "It answered with a redirect, which is not followed.")
    return RasaRefused(status, "", f"It answered with the status {status}.")


def _words(said: Any) -> str:
    """Text that can be stored, whatever a server says: neither NUL nor halves of characters."""
    return str(said or "").replace("\0", "\ufffd").encode(errors="replace").decode()


def _chunks(response: httpx.Response) -> Iterator[bytes]:
    with _wrapped():
        yield from response.iter_raw()


def _text(document: Any, key: str) -> str:
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise NotRasa("Its answer is not that of a Rasa server.")
    return _words(value)


@dataclass(frozen=True)
class RasaClient:
    """One Rasa server. `token` is its `--auth-token`; `timeout` is in seconds, for connecting and for each answer."""

    url: str
    token: str = field(default="", repr=False)
    timeout: float = TIMEOUT

    def version(self) -> Version:
        document = self._ask("GET", "/version")
        return Version(_text(document, "version"), _text(document, "minimum_compatible_version"))

    def status(self) -> Status | None:
        """What the server has loaded, None without a model (which it answers with 409)."""
        try:
            document = self._ask("GET", "/status")
        except RasaRefused as refused:
            if refused.status == 409:
                return None
            raise
        jobs = document.get("num_active_training_jobs") if isinstance(document, dict) else 0
        return Status(_text(document, "model_file"), _text(document, "model_id"), jobs if isinstance(jobs, int) else 0)

    def send_message(self, sender: str, text: str) -> list[dict[str, Any]]:
        """The bot's messages; `[]` also where no model is loaded."""
        body = {"sender": sender, "message": text}
        answers = self._ask("POST", "/webhooks/rest/webhook", json=body, timeout=max(self.timeout, CHAT_TIMEOUT))
        if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
            raise NotRasa("Its answer is not that of a Rasa server.")
        return answers

    def tracker(self, conversation_id: str, *, whole: bool = False, timeout: float = CHAT_TIMEOUT) -> dict[str, Any]:
        """The conversation's tracker, with what was said since the bot last began anew, or the `whole` of it; the
        server begins one where there is none."""
        path = f"/conversations/{quote(conversation_id, safe='')}/tracker"
        query = {"include_events": "ALL"} if whole else {}
        limit, timeout = MAX_TRACKER_BODY, max(self.timeout, timeout)
        tracker = self._ask("GET", path, limit=limit, timeout=timeout, params=query)
        if not isinstance(tracker, dict):
            raise NotRasa("Its answer is not that of a Rasa server.")
        return tracker

    @contextmanager
    def train(self, document: bytes, *, timeout: float = TRAINING_TIMEOUT) -> Iterator[Trained]:
        """Train on one YAML document and yield the archive as it arrives; `timeout` bounds the training itself.

        The server keeps no copy. Bad training data is `RasaRefused`: 400 where the document is not valid, 500 with
        the reason `TrainingError` where the training itself stopped.
        """
        limits = httpx.Timeout(self.timeout, read=timeout, write=max(self.timeout, 60.0))
        query = {"save_to_default_model_directory": "false"}
        headers = {"Content-Type": "application/yaml"}
        with self._open("POST", "/model/train", limits, params=query, content=document, headers=headers) as response:
            if response.status_code != 200:
                raise _refusal(response.status_code, self._read(response, MAX_SMALL_BODY, self.timeout))
            yield Trained(response.headers.get("filename", ""), response)

    def test_intents(
        self, document: bytes, *, model: str = "", folds: int | None = None, timeout: float = TRAINING_TIMEOUT
    ) -> dict[str, Any]:
        """What the model at the URL `model` ("": the loaded one) understands of NLU data, one YAML document.

        A server without a `models:` endpoint cannot take a URL. It loads the model beside its own one, which stays as
        it is. With `folds` it cross-validates the data instead, which must then hold a `pipeline` too. Whatever goes
        wrong is `RasaRefused`: 400 for what is not YAML, else 500 with the reason `TestingError`, which has no words
        where the model was not loaded (`model_was_missing`).
        """
        query = {"model": model} if model and folds is None else {}
        query |= {"cross_validation_folds": str(folds)} if folds is not None else {}
        return self._test("/model/test/intents", query, document, timeout)

    def test_stories(self, document: bytes, *, timeout: float = TRAINING_TIMEOUT) -> dict[str, Any]:
        """How the loaded model takes stories with what users said; the server answers nothing else meanwhile."""
        return self._test("/model/test/stories", {"e2e": "true"}, document, timeout)

    def _test(self, path: str, query: dict[str, str], document: bytes, timeout: float) -> dict[str, Any]:
        headers = {"Content-Type": YAML_TYPE}
        request: dict[str, Any] = {"params": query, "content": document, "headers": headers}
        report = self._ask("POST", path, limit=MAX_REPORT_BODY, timeout=timeout, **request)
        if not isinstance(report, dict):
            raise NotRasa("Its answer is not that of a Rasa server.")
        return report

    def _ask(self, method: str, path: str, *, limit: int = MAX_SMALL_BODY, timeout: float = 0, **request: Any) -> Any:
        timeout = timeout or self.timeout
        with self._open(method, path, httpx.Timeout(timeout, connect=self.timeout), **request) as response:
            body = self._read(response, limit, timeout)
            if response.status_code != 200:
                raise _refusal(response.status_code, body)
            return _json(body)

    def _read(self, response: httpx.Response, limit: int, timeout: float) -> bytes:
        with _wrapped():
            return _body(response, limit, time.monotonic() + timeout)

    @contextmanager
    def _open(
        self, method: str, path: str, timeout: httpx.Timeout, *, params: dict[str, str] | None = None, **request: Any
    ) -> Iterator[httpx.Response]:
        """The response with its body unread. Proxies and .netrc of the process are nothing to a Rasa server."""
        query = {**(params or {}), **({"token": self.token} if self.token else {})}
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **request.pop("headers", {})}
        with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False, verify=_tls()) as client:
            with _wrapped():
                prepared = client.build_request(
                    method, self.url.rstrip("/") + path, params=query, headers=headers, **request
                )
                response = client.send(prepared, stream=True)
            try:
                yield response
            finally:
                response.close()
