"""The key ring: secrets that must be read back are sealed with its newest key, and each tells which one it was."""

import re
import secrets
from functools import lru_cache
from typing import ClassVar

from cryptography.fernet import Fernet, InvalidToken
from django.db import models

from accounts import sealing
from accounts.problems import SecretUnreadable

NAME = re.compile("[0-9a-f]{16}")
CURE = "or give the secret again, in environments.yml or wherever it was given."


class SealingKey(models.Model):
    """A random key, wrapped by the installation key whose fingerprint is `wrapped_by`."""

    # Random and not the row's number: processes remember keys by it, and a restored database counts again.
    name = models.CharField(max_length=16, unique=True)
    wrapped = models.TextField()
    wrapped_by = models.CharField(max_length=12)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


def make() -> SealingKey:
    """A new key, which seals from now on."""
    keys = sealing.installation_keys()
    return SealingKey.objects.create(
        name=secrets.token_hex(8),
        wrapped=sealing.wrap(Fernet.generate_key()),
        wrapped_by=sealing.fingerprint(keys[0]),
    )


def newest() -> SealingKey | None:
    """The newest key that one of the installation keys unwraps."""
    known = [sealing.fingerprint(key) for key in sealing.installation_keys()]
    return SealingKey.objects.filter(wrapped_by__in=known).first()


def unknown() -> str | None:
    """The fingerprint of the installation key that wrapped the newest key of all, where it is none of this process's;
    None where it is one, and for an empty ring."""
    last = SealingKey.objects.first()
    known = [sealing.fingerprint(key) for key in sealing.installation_keys()]
    return last.wrapped_by if last and last.wrapped_by not in known else None


@lru_cache(maxsize=64)
def _opened(name: str, installation_keys: tuple[str, ...]) -> Fernet:
    """The key of that name. Remembered by every process; a rotation makes new names."""
    row = SealingKey.objects.filter(name=name).first()
    if row is None:
        # What is no name may be a secret that was never sealed.
        named = f"the key {name}" if NAME.fullmatch(name) else "a key"
        raise SecretUnreadable(f"was sealed with {named} that the database does not have. Restore it, {CURE}")
    key = sealing.unwrap(row.wrapped, installation_keys)
    if key is None:
        raise SecretUnreadable(
            f"was sealed under another installation key (fingerprint {row.wrapped_by}). Add that one to "
            f"CONTROLPLANE_SECRET_KEY_FALLBACKS, {CURE}"
        )
    return Fernet(key)


def key_of(sealed: str) -> str:
    """The name of the key that a text was sealed with."""
    return sealed.partition(":")[0]


def seal(text: str) -> str:
    """`<name of the key>:<what it made of the text>`. Which key is newest is asked each time: writing is rare."""
    if not text:
        return ""
    key = newest() or make()
    token = _opened(key.name, sealing.installation_keys()).encrypt(text.encode())
    return f"{key.name}:{token.decode()}"


def unseal(sealed: str) -> str:
    """The text. Raises `SecretUnreadable`, whose detail begins with the verb."""
    if not sealed:
        return ""
    name, _, token = sealed.partition(":")
    fernet = _opened(name, sealing.installation_keys())
    try:
        return fernet.decrypt(token.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable(f"is damaged in the database. Restore it, {CURE}") from None


def reseal(sealed: str, text: str) -> str:
    """`sealed` itself if it already holds `text`, so that writing the same secret again changes no row.

    What cannot be unsealed is replaced: writing the secret again is the way out of a lost key.
    """
    try:
        unchanged = unseal(sealed) == text
    except SecretUnreadable:
        unchanged = False
    return sealed if unchanged else seal(text)
