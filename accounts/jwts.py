"""JSON Web Tokens: those of `/api/auth`, which stock Rasa servers verify too, and the decoding of any other.

Which algorithm and which kind of key verify a token is said by whoever verifies it, never by the token.
"""

import re
import time
from datetime import timedelta
from typing import Any

import jwt

from accounts import grants
from accounts.models import SigningKey, User, signing_key
from accounts.problems import Unauthorized

LIFETIME = timedelta(hours=8)
# Clocks of several machines differ a little.
LEEWAY = timedelta(seconds=10)
# What Rasa's `rasa` channel asks for before somebody may write in another one's conversation (rasa_chat.py of 3.6).
INTERACTIVE_LEARNING = "clientEvents:create"
KID = re.compile("[0-9a-f]{16}")
# Far more than any token takes; a longer text is not worth decoding.
MAX_LENGTH = 8192
OWN_CLAIMS: dict[str, type] = {"sub": str, "username": str, "scopes": list, "exp": int, "iat": int, "gen": int}
# What decoding raises for texts that no issuer writes: `iat` null, `exp` infinite, a header of brackets.
MALFORMED = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


def published() -> list[SigningKey]:
    """The keys that tokens may be signed with, newest first."""
    return list(SigningKey.objects.all())


def scopes_of(user: User) -> list[str]:
    """What a Rasa server reads in a token; what the user may do here is read at each request instead."""
    held = grants.of(user).held.values()
    return [INTERACTIVE_LEARNING] if any("conversations.write" in codenames for codenames in held) else []


def issue(user: User, key: SigningKey) -> str:
    """A token of the user, for `LIFETIME`. `gen` ends it early: a change of password raises the user's generation."""
    now = int(time.time())
    claims = {
        "sub": str(user.pk),
        "username": user.username,
        "scopes": scopes_of(user),
        "iat": now,
        "exp": now + int(LIFETIME.total_seconds()),
        "gen": user.credential_generation,
    }
    return jwt.encode(claims, key.private_key, algorithm=signing_key.ALGORITHM, headers={"kid": key.kid})


def verify(token: str) -> User:
    """The user that a token of `/api/auth` was made for. Raises `Unauthorized`."""
    key = SigningKey.objects.filter(kid=_kid(token)).first()
    if key is None:
        raise Unauthorized("The token was not made here, or long ago. Sign in again: POST /api/auth.")
    claims = decode(token, key=key.public_key, algorithm=signing_key.ALGORITHM, claims=OWN_CLAIMS)
    number = claims["sub"] if claims["sub"].isdecimal() else None
    user: User | None = User.objects.filter(pk=number, is_active=True).first()
    if user is None or (user.username, user.credential_generation) != (claims["username"], claims["gen"]):
        raise Unauthorized("The token was ended: its account was changed. Sign in again: POST /api/auth.")
    return user


def _kid(token: str) -> str:
    """The name of the key in the header: it chooses among ours, and proves nothing."""
    try:
        kid = str(jwt.get_unverified_header(token[: MAX_LENGTH + 1]).get("kid"))
    except MALFORMED:
        kid = ""
    return kid if KID.fullmatch(kid) else ""


def decode(token: str, *, key: str, algorithm: str, claims: dict[str, type]) -> dict[str, Any]:
    """The claims of a token that this key signed and whose time it is, each there and of its type.

    Raises `Unauthorized`. `exp`, `nbf` and `iat` are judged wherever they stand; `aud` is refused: nobody is meant.
    """
    try:
        found: dict[str, Any] = jwt.decode(token[: MAX_LENGTH + 1], key, algorithms=[algorithm], leeway=LEEWAY)
    except jwt.ExpiredSignatureError:
        raise Unauthorized("The token has expired. Sign in again.") from None
    except MALFORMED:
        raise Unauthorized("The token is not valid.") from None
    if any(type(found.get(name)) is not kind for name, kind in claims.items()):
        raise Unauthorized("The token does not hold the claims that are asked for.")
    return found
