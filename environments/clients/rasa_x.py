"""A Rasa X server over HTTP, to copy from (rasa-facts, section 4). Knows no Django; its errors are `RasaXError`.

Only reads. The same routes were spelled in two ways over the years, and credentials are taken in two; what answers is
kept. No URL with a token in it reaches a log or an error.
"""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

import httpx

TIMEOUT = httpx.Timeout(60.0, connect=10.0)
# Of one list. A model's archive may be of any size.
MAX_LIST = 64 * 1024**2
PAGE = 100
DEFAULT = "default"


class RasaXError(Exception):
    """It could not be asked. The text is a sentence with the cure, without any token."""


class RasaXUnreachable(RasaXError):
    """No connection, no answer in time, or an answer that broke off."""


class NotRasaX(RasaXError):
    """Something answers there, but not as Rasa X does."""


class RasaXSignIn(RasaXError):
    """The token, or name and password, are not taken."""


class RasaXRefused(RasaXError):
    """One thing was refused; others may not be."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Model:
    name: str
    hash: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Role:
    """`grants` as it has them: `{category: [actions]}`."""

    name: str
    description: str
    grants: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class User:
    """`roles` are those in the project that was asked for."""

    username: str
    roles: tuple[str, ...]
    mechanism: str


def _sentence(error: httpx.HTTPError | httpx.InvalidURL | httpx.StreamError) -> str:
    match error:
        case httpx.TimeoutException():
            return "Rasa X did not answer in time. Run the command again: it goes on where it stopped."
        case httpx.ConnectError():
            return "No connection to Rasa X could be made. Compare the address, and whether it is reachable from here."
    return "The connection to Rasa X broke off. Run the command again: it goes on where it stopped."


@contextmanager
def _wrapped() -> Iterator[None]:
    """httpx's errors as this module's. `from None`: the original may repeat the URL with the token in it."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise RasaXUnreachable(_sentence(error)) from None


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _base(url: str) -> str:
    """The address without what people copy along: a final slash, `/api`."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise NotRasaX("This is no address of a server. Write it like https://rasa-x.example.com.")
    return url.strip().rstrip("/").removesuffix("/api").rstrip("/")


def _not_there() -> NotRasaX:
    return NotRasaX(
        "Something answers at this address, but not as Rasa X does. Give the address under which its pages are seen, "
        "without a path."
    )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _not_there() from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def sign_in(url: str, username: str, password: str) -> str:
    """The access token for name and password (`POST /api/auth`)."""
    with RasaXClient(url, "").open("POST", "/api/auth", json={"username": username, "password": password}) as answer:
        body = _read(answer)
        if answer.status_code in (400, 401, 403, 422):
            raise RasaXSignIn("Rasa X does not take this user name with this password.")
        document = _json(body) if answer.status_code == 200 else None
    token = document.get("access_token") if isinstance(document, dict) else None
    if not isinstance(token, str):
        raise _not_there()
    return token


@dataclass
class RasaXClient:
    """One project of one server. `token`: of `POST /api/auth`, or a user's own."""

    url: str
    token: str = field(repr=False)
    project: str = DEFAULT
    # Old servers take a user's own token in the query alone.
    in_query: bool = field(default=False, init=False)

    def models(self) -> list[Model]:
        """Newest first, as it lists them."""
        items = self._list(self._models)
        return [
            Model(item["model"], _text(item.get("hash")), _texts(item.get("tags")))
            for item in items
            if isinstance(item.get("model"), str)
        ]

    def environments(self) -> frozenset[str]:
        """The names of its environments; none where it does not tell."""
        try:
            items = self._list("/api/environments")
        except RasaXRefused:
            return frozenset()
        return frozenset(item["name"] for item in items if isinstance(item.get("name"), str))

    def roles(self) -> list[Role]:
        return [
            Role(item["role"], _text(item.get("description")), _grants(item.get("grants")))
            for item in self._list("/api/roles", project=self.project)
            if isinstance(item.get("role"), str)
        ]

    def users(self) -> list[User]:
        return [
            User(item["username"], self._roles_of(item), _text(item.get("authentication_mechanism")))
            for item in self._list("/api/users", project=self.project)
            if isinstance(item.get("username"), str)
        ]

    def download(self, name: str, into: BinaryIO, progress: Callable[[int, int], None]) -> None:
        """Write the archive of a model into a file; `progress` is told the bytes that came and the total (0: unknown).

        Raises `RasaXUnreachable` where it breaks off, with the file as far as it came.
        """
        place = self._models.removesuffix("/nlu")
        with self._authorised("GET", f"{place}/{quote(name, safe='')}") as answer, _wrapped():
            total, got = int(answer.headers.get("Content-Length") or 0), 0
            for chunk in answer.iter_raw(256 * 1024):
                into.write(chunk)
                got += len(chunk)
                progress(got, total)

    def _roles_of(self, item: dict[str, Any]) -> tuple[str, ...]:
        """Those in the project: `projects` of Enterprise, else `roles`, which were those of the only project."""
        projects = item.get("projects")
        for place in projects if isinstance(projects, list) else ():
            if isinstance(place, dict) and place.get("name") == self.project:
                return _texts(place.get("roles"))
        named = any(isinstance(place, dict) for place in projects) if isinstance(projects, list) else False
        return () if named else _texts(item.get("roles"))

    @cached_property
    def _models(self) -> str:
        """Where it has its models."""
        places = [f"/api/projects/{quote(self.project, safe='')}/models"]
        places += ["/api/models"] if self.project == DEFAULT else []
        found_not: RasaXError | None = None
        for place in [*places, f"{places[0]}/nlu"]:
            try:
                self._page(place, {"limit": "1"})
            except NotRasaX as error:
                found_not = error
            except RasaXRefused as refused:
                if refused.status != 404:
                    raise
            else:
                return place
        raise found_not or NotRasaX(
            f"There is no project {self.project} at this address that this token may see. Compare it and --project."
        )

    def _list(self, path: str, **query: str) -> list[dict[str, Any]]:
        """All of a list. Some servers give all of it at once, others a page: `X-Total-Count` tells."""
        items, total = self._page(path, query)
        while len(items) < total:
            more, _ = self._page(path, query | {"limit": str(PAGE), "offset": str(len(items))})
            if not more:
                break
            items += more
        return [item for item in items if isinstance(item, dict)]

    def _page(self, path: str, query: dict[str, str]) -> tuple[list[Any], int]:
        with self._authorised("GET", path, params=query) as answer:
            items = _json(_read(answer))
            if not isinstance(items, list):
                raise _not_there()
            total = answer.headers.get("X-Total-Count", "")
            return items, int(total) if total.isdecimal() and total.isascii() else len(items)

    @contextmanager
    def _authorised(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:
        """The answer of 200. A 401 to a token in the header is asked again with the token in the query, once."""
        with self.open(method, path, **request) as answer:
            status = answer.status_code
            if status == 200:
                yield answer
                return
            body = _read(answer)
        if status == 401 and not self.in_query:
            self.in_query = True
            with self._authorised(method, path, **request) as answer:
                yield answer
            return
        raise _refusal(status, body)

    @contextmanager
    def open(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:
        """The answer with its body unread. Redirects are not followed: the token is for this server."""
        params = {**request.pop("params", {}), **({"api_token": self.token} if self.in_query else {})}
        headers = {"Authorization": f"Bearer {self.token}"} if self.token and not self.in_query else {}
        client = httpx.Client(timeout=TIMEOUT, verify=_tls(), trust_env=False, headers=headers)
        with client, _wrapped():
            stream = client.stream(method, f"{_base(self.url)}{path}", params=params, **request)
            with stream as answer:
                if answer.has_redirect_location:
                    raise NotRasaX(_elsewhere(answer.headers.get("Location", "")))
                yield answer


def _elsewhere(location: str) -> str:
    parts = urlsplit(location)
    where = f" to {parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
    return f"The server sends elsewhere{where}. Give the address that it leads to."


def _read(answer: httpx.Response) -> bytes:
    body = bytearray()
    with _wrapped():
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > MAX_LIST:
                raise NotRasaX(f"An answer is larger than {MAX_LIST} bytes.")
    return bytes(body)


def _refusal(status: int, body: bytes) -> RasaXError:
    if status == 401:
        return RasaXSignIn(
            "Rasa X does not take this token: it may have expired. Sign in with --username, or copy a new token."
        )
    if status in (403, 404):
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            return _not_there() if status == 404 else RasaXRefused(status, "It answered with the status 403.")
        words = _text(told.get("message")) if isinstance(told, dict) else ""
        return RasaXRefused(status, words[:300] or f"It answered with the status {status}.")
    return RasaXRefused(status, f"It answered with the status {status}.")


def _grants(value: Any) -> dict[str, tuple[str, ...]]:
    found = value.items() if isinstance(value, dict) else ()
    return {category: _texts(actions) for category, actions in found if isinstance(category, str)}
