"""The installation key: what is derived from it, and the wrapping of the keys that secrets are sealed with.

Secrets themselves are sealed by `models.SealedField`.
"""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


def derived_key(label: str, installation_key: str | None = None) -> bytes:
    """32 bytes for one use; the label keeps uses apart."""
    key = settings.SECRET_KEY if installation_key is None else installation_key
    return hmac.digest(key.encode(), f"controlplane/{label}".encode(), hashlib.sha256)


def installation_keys() -> tuple[str, ...]:
    """The installation key, then earlier ones that still unwrap."""
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def fingerprint(installation_key: str) -> str:
    """What an installation key is called where it must not be shown."""
    return derived_key("fingerprint", installation_key).hex()[:12]


def _wrapping(installation_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived_key("sealing", installation_key)))


def wrap(key: bytes) -> str:
    return _wrapping(settings.SECRET_KEY).encrypt(key).decode()


def unwrap(wrapped: str, installation_keys: tuple[str, ...]) -> bytes | None:
    """The key, if one of the installation keys wrapped it."""
    for installation_key in installation_keys:
        try:
            return _wrapping(installation_key).decrypt(wrapped.encode())
        except InvalidToken:
            continue
    return None
