"""End users of a bot, who sign in elsewhere: a JSON Web Token signed with the environment's `jwt_secret` lets them
chat, as it would on the Rasa server itself, and do nothing else.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings
from rest_framework.request import Request

from accounts import jwts
from accounts.authentication import BearerAuthentication
from accounts.models import project
from accounts.problems import SecretUnreadable, Unauthorized
from environments.api import guests
from environments.errors import ChatRefused, EnvironmentUnavailable
from environments.models import Environment
from environments.names import PRODUCTION

# Said of every token that is not taken: a sentence for each reason would tell strangers which environments there are.
REFUSED = (
    "The token is not taken here. Sign in (POST /api/auth), or send a token that the environment's jwt_secret signed "
    'with HS256, that has not expired and holds the claims {"user": {"username", "role"}}.'
)
# A Rasa server's `--jwt-method`. Nothing else is taken, whatever the token says.
ALGORITHM = "HS256"


@dataclass(frozen=True)
class EndUser:
    """Whom a token of `environment` names. No `User`: it is an actor nowhere."""

    environment: Environment
    username: str
    role: str
    is_authenticated: ClassVar = True

    def check_may_chat(self, conversation: str) -> None:
        """As a Rasa server decides: `admin` in any conversation, `user` in the one of that name, others nowhere."""
        if self.role == "admin" or (self.role == "user" and self.username == conversation):
            return
        raise ChatRefused("This token may not be used in this conversation: its role is not admin, nor is it named so.")


class ChatAuthentication(BearerAuthentication):
    """What every route takes, guests' tokens, and end users' tokens of the environment that the request names."""

    def of_jwt(self, secret: str, request: Request) -> tuple[Any, Any]:
        try:
            return super().of_jwt(secret, request)
        except Unauthorized:
            if guests.is_guests(secret):
                return guests.verify(secret), None
            return _end_user_of(request, secret), None


def _end_user_of(request: Request, token: str) -> EndUser:
    environment = _named(request)
    try:
        if environment is not None:
            return end_user(token, environment)
    except Unauthorized:
        pass
    raise Unauthorized(REFUSED)


def _named(request: Request) -> Environment | None:
    query, path = request.query_params, (request.parser_context or {}).get("kwargs", {})
    name = query.get("environment", PRODUCTION)
    found = Environment.objects.active().filter(
        name=name, project__name=path.get("project") or query.get("project", project.DEFAULT)
    )
    return found.select_related("project", "follows").first()


def end_user(token: str, environment: Environment) -> EndUser:
    """Whom the token names. Raises `Unauthorized` unless the environment's secret signed it."""
    try:
        secret = environment.jwt_secret or settings.JWT_SECRET
    except SecretUnreadable:
        # Whoever asks has not proved who they are: they are not told which key is missing.
        why = f"{environment.name} cannot answer: its jwt_secret cannot be read. Give it again."
        raise EnvironmentUnavailable(why, environment=environment.name, headers={"Retry-After": "10"}) from None
    if not secret:
        raise Unauthorized("This environment takes no end users' tokens: it has no jwt_secret.")
    user = jwts.decode(token, key=secret, algorithm=ALGORITHM, claims={"user": dict})["user"]
    username, role = user.get("username"), user.get("role")
    if not isinstance(username, str) or not isinstance(role, str):
        raise Unauthorized('The token does not hold the claims {"user": {"username", "role"}}.')
    return EndUser(environment, username, role)
