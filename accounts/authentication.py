"""Credentials of people and scripts: session cookie, API token, token of `/api/auth`. The result is an `Actor`.

Service tokens of Rasa servers are the serving routes' business, not a user's.
"""

import hmac
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import jwts, problems, proxies
from accounts.actor import API, PAGE, RASA_X, Actor
from accounts.models import ApiToken, User, api_token

# Tokens of Rasa servers begin so.
SERVICE_PREFIX = "cps_"
# What the audit trail calls a request with a token of `/api/auth`.
JWT = "JWT"
LAST_USED_EVERY = timedelta(minutes=1)


def peer_address(request: HttpRequest) -> str:
    """The client's address; `X-Forwarded-For` is believed only from a proxy in `TRUSTED_PROXIES`, and only as far as
    it holds IP addresses: before anything else the last proxy's own address stands for the client's."""
    address: str = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    while hops and proxies.is_trusted(address) and (told := proxies.address(hops.pop())):
        address = str(told)
    return address


def bearer(request: HttpRequest) -> str | None:
    scheme, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else None


def is_installation_token(token: str) -> bool:
    """Whether this is the value of `RASA_X_TOKEN`, which opens every tag and model; unset, there is none."""
    expected = settings.RASA_X_TOKEN
    return bool(expected) and hmac.compare_digest(token.encode(), expected.encode())


def is_of_a_server(token: str) -> bool:
    """Whether a token is of the kind that Rasa servers send, known or not."""
    return token.startswith(SERVICE_PREFIX) or is_installation_token(token)


def door(request: HttpRequest) -> str:
    """Which family of routes the request came through."""
    path = f"{request.path_info}/"
    if path.startswith(("/api/v1/", "/metrics/")):
        return API
    return RASA_X if path.startswith(("/api/", "/models/", "/conversations/")) else PAGE


def user_of_token(secret: str) -> ApiToken:
    """The usable token with this secret; its last use is noted once a minute, not at each request."""
    token = ApiToken.objects.usable().select_related("user").filter(digest=api_token.digest(secret)).first()
    if token is None:
        raise problems.Unauthorized("The API token is unknown, expired or revoked.")
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > LAST_USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def actor_of(request: HttpRequest | Request) -> Actor:
    """Who acts in this request. Cached on it, so that grants are read once."""
    plain = request._request if isinstance(request, Request) else request
    cached: Actor | None = getattr(plain, "actor", None)
    if cached is None:
        auth = request.auth if isinstance(request, Request) else None
        token = auth if isinstance(auth, ApiToken) else None
        credential = auth if isinstance(auth, str) else ""
        user = request.user if isinstance(request.user, User) else None
        if user is None:
            raise problems.Unauthorized()
        address = peer_address(plain)
        cached = Actor(user=user, via=door(plain), address=address, token=token, credential=credential)
        plain.actor = cached  # type: ignore[attr-defined]
    return cached


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer` with an API token (cpt_…) or a token of `/api/auth`, on Rasa X routes `?api_token=cpt_…`.

    The kind is told by prefix and by equality with `RASA_X_TOKEN`; what is left is a JWT.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        secret = bearer(request)
        if secret is not None:
            return self.of_bearer(secret, request)
        secret = request.query_params.get("api_token") if door(request) == RASA_X else None
        if secret is None:
            return None
        if not secret.startswith(api_token.PREFIX):
            raise problems.Unauthorized("The parameter api_token takes an API token (cpt_…) and nothing else.")
        token = user_of_token(secret)
        return token.user, token

    def of_bearer(self, secret: str, request: Request) -> tuple[Any, Any]:
        """The user, and the API token or the name of the credential."""
        if secret.startswith(api_token.PREFIX):
            token = user_of_token(secret)
            return token.user, token
        if is_of_a_server(secret):
            raise problems.Unauthorized("This is the token of a Rasa server: it opens models and /api/config alone.")
        return self.of_jwt(secret, request)

    def of_jwt(self, secret: str, request: Request) -> tuple[Any, Any]:
        return jwts.verify(secret), JWT

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="controlplane"'


class HeaderCsrf(CsrfViewMiddleware):
    """CSRF from the `X-CSRFToken` header alone: reading a form field would parse an upload before it is authorised."""

    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason

    def _check_token(self, request: HttpRequest) -> None:
        request._post = request._files = {}  # type: ignore[attr-defined]
        try:
            super()._check_token(request)  # type: ignore[misc]
        finally:
            del request._post, request._files  # type: ignore[attr-defined]


class SessionAuthentication(BaseAuthentication):
    """The pages' session; unsafe methods need the CSRF token in the `X-CSRFToken` header."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        user = getattr(request._request, "user", None)
        if not isinstance(user, User) or not user.is_active:
            return None
        check = HeaderCsrf(lambda _: HttpResponse())
        check.process_request(request._request)
        reason = check.process_view(request._request, lambda *_: HttpResponse(), (), {})
        if reason:
            raise problems.CsrfFailed(f"{reason} Send the CSRF token in the X-CSRFToken header.")
        return user, None
