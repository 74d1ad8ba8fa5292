"""The keys that sign the tokens of `/api/auth`: RSA pairs whose public halves are published, newest first."""

import secrets
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.db import models

from accounts.models.sealed_field import Plain, SealedField

ALGORITHM = "RS256"
BITS = 2048


class SigningKey(models.Model):
    """`kid` names it in the header of a token. The one before stays published until its tokens have expired."""

    kid = models.CharField(max_length=16, unique=True)
    sealed_private_key = SealedField()
    public_key = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    private_key = Plain("sealed_private_key")

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.kid


def make() -> SigningKey:
    """A new pair, which signs from now on."""
    pair = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    private = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = SigningKey(kid=secrets.token_hex(8), public_key=public.decode())
    key.private_key = private.decode()
    key.save()
    return key
