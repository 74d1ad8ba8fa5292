"""Credentials of people and scripts: session cookie and API token. The result is an `Actor`.

Service tokens of Rasa servers are the serving routes' business, not a user's.
"""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import problems
from accounts.actor import API, PAGE, RASA_X, Actor
from accounts.models import ApiToken, User, api_token

LAST_USED_EVERY = timedelta(minutes=1)


def peer_address(request: HttpRequest) -> str:
    """The client's address; `X-Forwarded-For` is believed only from a proxy in `TRUSTED_PROXIES`."""
    address: str = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    while hops and address in settings.TRUSTED_PROXIES:
        address = hops.pop()
    return address


def bearer(request: HttpRequest) -> str | None:
    scheme, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else None


def door(request: HttpRequest) -> str:
    """Which family of routes the request came through."""
    path = f"{request.path_info}/"
    if path.startswith("/api/v1/"):
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
        token = request.auth if isinstance(request, Request) and isinstance(request.auth, ApiToken) else None
        user = request.user if isinstance(request.user, User) else None
        if user is None:
            raise problems.Unauthorized()
        cached = Actor(user=user, via=door(plain), address=peer_address(plain), token=token)
        plain.actor = cached  # type: ignore[attr-defined]
    return cached


class ApiTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer cpt_…`, and on Rasa X routes `?api_token=cpt_…`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        secret = bearer(request)
        if secret is None and door(request) == RASA_X:
            secret = request.query_params.get("api_token")
        if secret is None:
            return None
        if not secret.startswith(api_token.PREFIX):
            raise problems.Unauthorized("This route takes an API token (cpt_…) or a session.")
        token = user_of_token(secret)
        return token.user, token

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
