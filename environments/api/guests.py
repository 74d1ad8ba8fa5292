"""Guests of a bot, who have nothing but the link: what opens their own conversation, and nothing else.

Their tokens are signed with a key of their own, not with those of `/api/auth`: Rasa servers trust these.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import jwt
from rest_framework.request import Request

from accounts import jwts, sealing
from accounts.problems import InvalidFields, Unauthorized
from environments.actions.guest_links import digest
from environments.errors import ChatRefused
from environments.models import ChatToken, Environment

ALGORITHM = "HS256"
LIFETIME = timedelta(hours=8)
LONGEST_MESSAGE = 2000
# So many characters of a link's digest tell which link a token came from.
MARK = 32


@dataclass(frozen=True)
class Guest:
    """Who came by the link of `environment`. No `User`: an actor nowhere."""

    environment: Environment
    conversation: str
    is_authenticated: ClassVar = True

    def check_may_chat(self, request: Request, conversation: str, project: str | None) -> None:
        """In their own conversation, with the bot of the link."""
        query = request.query_params
        own = (
            conversation == self.conversation
            and query.get("environment", self.environment.name) == self.environment.name
            and (project or query.get("project", self.environment.project.name)) == self.environment.project.name
        )
        if not own:
            raise ChatRefused("A guest's token opens the one conversation that came with it, and no other.")

    def check_message(self, message: str) -> None:
        if len(message) > LONGEST_MESSAGE:
            cure = f"A message has at most {LONGEST_MESSAGE} characters."
            raise InvalidFields(f"message: {cure}", errors={"message": [cure]})


def link_of(token: str) -> ChatToken | None:
    """The open guest link with this token."""
    return ChatToken.objects.open().filter(digest=digest(token)).first()


def new_conversation() -> str:
    return f"guest-{secrets.token_hex(12)}"


def issue(link: ChatToken, conversation: str) -> str:
    """A guest's token, for `LIFETIME` or until the link ends."""
    now = int(time.time())
    ends = now + int(LIFETIME.total_seconds())
    if link.expires_at is not None:
        ends = min(ends, int(link.expires_at.timestamp()))
    guest = {"link": link.digest[:MARK], "conversation": conversation}
    return jwt.encode({"guest": guest, "iat": now, "exp": ends}, _key(), algorithm=ALGORITHM)


def verify(token: str) -> Guest:
    """Raises `Unauthorized`, also when the link was replaced since."""
    guest = _claims(token)
    link = ChatToken.objects.open().filter(digest__startswith=guest["link"]).first()
    if link is None:
        raise Unauthorized("The guest link was ended or replaced. Ask for the new one.")
    return Guest(link.environment, guest["conversation"])


def is_guests(token: str) -> bool:
    """Whether it was signed here for a guest, and is not expired."""
    try:
        return bool(_claims(token))
    except Unauthorized:
        return False


def _claims(token: str) -> dict[str, Any]:
    claims = jwts.decode(token, key=_key(), algorithm=ALGORITHM, claims={"guest": dict, "exp": int})
    guest: dict[str, Any] = claims["guest"]
    return guest


def _key() -> str:
    return sealing.derived_key("guests").hex()
