"""A net under the whole run: no log line and no answer of any test shows a secret.

Secrets are told by their shape, and by value: every password that is set, everything that is sealed, those of the
settings, and what a test gives to `net.secret`. What is logged is looked at as the processes write it.
"""

import logging
import logging.config
import re
from collections.abc import Iterable, Iterator

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpResponse
from django.test import Client

API_TOKEN, SERVICE_TOKEN, JWT, HASH, SEALED, KEY, VALUE = (
    *("API token", "service token", "JWT", "hash of a password", "sealed text", "private key", "known secret"),
)
SHAPES = {
    API_TOKEN: re.compile(r"cpt_[\w-]{43}(?![\w-])", re.ASCII),
    SERVICE_TOKEN: re.compile(r"cps_[0-9]+_[\w-]{43}(?![\w-])", re.ASCII),
    JWT: re.compile(r"(?<![\w-])ey[\w-]{8,}\.ey[\w-]{8,}\.[\w-]{8,}", re.ASCII),
    HASH: re.compile(r"(?:argon2\w{0,3}|pbkdf2_\w+|scrypt|bcrypt\w*|md5)\$[\w$,=+/.-]{20,}", re.ASCII),
    SEALED: re.compile(r"gAAAAA[\w-]{40,}", re.ASCII),
    KEY: re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}
# What an answer is there to show. Every line is a decision: design rule 9 allows no other.
SHOWN_ON_PURPOSE: dict[tuple[str | None, str], set[str]] = {
    # The one time that a new token is shown.
    ("POST", "api/v1/tokens/"): {API_TOKEN},
    ("POST", "account/tokens/"): {API_TOKEN},
    ("POST", "p/<str:project>/access/users/<str:user>/tokens/"): {API_TOKEN},
    # And the secret that a webhook signs with.
    ("POST", "api/v1/webhooks/"): {VALUE},
    ("PATCH", "api/v1/webhooks/<str:webhook>/"): {VALUE},
    ("POST", "p/<str:project>/settings/new-webhook/"): {VALUE},
    ("POST", "p/<str:project>/settings/webhooks/<str:webhook>/new-secret/"): {VALUE},
    # And the one that a git server signs its pushes to a pipeline with.
    ("POST", "api/v1/pipelines/<str:name>/push-secret/"): {VALUE},
    ("POST", "p/<str:project>/pipelines/<str:name>/push-secret/"): {VALUE},
    # What signing in by the API is for.
    ("POST", "api/auth"): {JWT},
    # That of an environment, to those who hold environments.manage; a POST is its successor.
    ("GET", "api/v1/environments/<str:name>/service-token/"): {SERVICE_TOKEN},
    ("POST", "api/v1/environments/<str:name>/service-token/"): {SERVICE_TOKEN},
    # The guest link, to those who may hand it out; and what a guest gets for it.
    ("GET", "api/chatToken"): {VALUE},
    ("PUT", "api/chatToken"): {VALUE},
    (None, "p/<str:project>/talk/share/"): {VALUE},
    ("POST", "api/auth/jwt"): {JWT},
    # endpoints.yml of one more Rasa server, to those who hold environments.manage.
    # A page answers every method alike.
    (None, "p/<str:project>/environments/<str:environment>/connect/"): {SERVICE_TOKEN},
}
# A shorter value stands in words that have nothing to do with it.
SHORTEST = 6
# What is read as text; archives are not.
TEXTS = ("text/html", "text/plain", "text/csv", "application/json", "application/problem+json", "application/x-ndjson")


class Net:
    """What was found is in `leaks`, each with the place and never with the secret itself."""

    def __init__(self) -> None:
        self.leaks: list[str] = []
        self.logged: list[str] = []
        self.values: set[str] = set()

    def secret(self, value: str | bytes | None) -> None:
        """Look for this value too, from now on."""
        text = value.decode(errors="ignore") if isinstance(value, bytes) else value or ""
        if len(text) >= SHORTEST:
            self.values.add(text)

    def kinds_in(self, text: str) -> set[str]:
        found = {kind for kind, shape in SHAPES.items() if shape.search(text)}
        own = (settings.SECRET_KEY, settings.RASA_X_TOKEN, settings.JWT_SECRET, settings.CONTROLPLANE_ADMIN_PASSWORD)
        known = self.values | {value for value in own if len(value) >= SHORTEST}
        return found | ({VALUE} if any(value in text for value in known) else set())

    def look(self, text: str, where: str, allowed: Iterable[str] = ()) -> None:
        self.leaks += [f"{kind} in {where}" for kind in sorted(self.kinds_in(text) - set(allowed))]

    def look_at(self, response: HttpResponse) -> None:
        """Headers and text of an answer. Text that streams is looked at as it is read."""
        request = response.wsgi_request  # type: ignore[attr-defined]  # the test client's
        route = request.resolver_match.route if request.resolver_match else request.path
        where = f"the answer to {request.method} {route}"
        allowed = SHOWN_ON_PURPOSE.get((request.method, route)) or SHOWN_ON_PURPOSE.get((None, route), set())
        self.look("\n".join(f"{name}: {value}" for name, value in response.items()), where)
        if not response.headers.get("Content-Type", "").startswith(TEXTS):
            return
        if not response.streaming:
            self.look(response.content.decode(errors="replace"), where, allowed)
        else:
            response.streaming_content = self._watched(response.streaming_content, where, allowed)  # type: ignore[attr-defined]

    def _watched(self, pieces: Iterable[bytes], where: str, allowed: Iterable[str]) -> Iterator[bytes]:
        for piece in pieces:
            self.look(piece.decode(errors="replace"), where, allowed)
            yield piece

    def look_at_log(self) -> None:
        for line in self.logged:
            self.look(line, f"the log: {line[:60]}")


class Lines(logging.Handler):
    """Keeps what is logged, formatted as the processes format it."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self.lines = lines
        formatter = logging.config.DictConfigurator(settings.LOGGING)
        self.setFormatter(formatter.configure_formatter(dict(settings.LOGGING["formatters"]["plain"])))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(autouse=True)
def net(settings, monkeypatch):
    """Fails the test that leaks. One whose answer shows a secret on purpose needs a line in `SHOWN_ON_PURPOSE`."""
    net = Net()
    ask, set_password, encrypt = Client.request, AbstractBaseUser.set_password, Fernet.encrypt

    def watched_request(self, **request):
        response = ask(self, **request)
        net.look_at(response)
        return response

    def watched_password(self, raw_password):
        net.secret(raw_password)
        return set_password(self, raw_password)

    def watched_encrypt(self, data):
        net.secret(data)
        return encrypt(self, data)

    monkeypatch.setattr(Client, "request", watched_request)
    monkeypatch.setattr(AbstractBaseUser, "set_password", watched_password)
    monkeypatch.setattr(Fernet, "encrypt", watched_encrypt)
    lines = Lines(net.logged)
    logging.getLogger().addHandler(lines)
    yield net
    logging.getLogger().removeHandler(lines)
    net.look_at_log()
    assert not net.leaks, f"tests/leaks.py found {', '.join(net.leaks)}"
