"""Secrets that must be read back, encrypted at rest with a key derived from the installation key."""

import base64
import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


def derived_key(label: str) -> bytes:
    """32 bytes for one use; the label keeps uses apart."""
    return hmac.digest(settings.SECRET_KEY.encode(), f"controlplane/{label}".encode(), hashlib.sha256)


@lru_cache(maxsize=4)
def _fernet(key: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(key))


def seal(text: str) -> str:
    return _fernet(derived_key("sealing")).encrypt(text.encode()).decode() if text else ""


def unseal(sealed: str) -> str:
    return _fernet(derived_key("sealing")).decrypt(sealed.encode()).decode() if sealed else ""


def reseal(sealed: str, text: str) -> str:
    """`sealed` itself if it already holds `text`, so that writing the same secret again changes no row.

    What another installation key sealed is replaced: writing the secret again is the way out of a lost key.
    """
    try:
        unchanged = unseal(sealed) == text
    except InvalidToken:
        unchanged = False
    return sealed if unchanged else seal(text)
