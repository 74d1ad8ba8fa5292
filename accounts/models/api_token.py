import hashlib
import secrets
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.user import User

PREFIX = "cpt_"
SHOWN = len(PREFIX) + 6


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a token. A plain hash is enough: the secret has 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def unrevoked(self) -> Self:
        """Not revoked, of a user who is still active; it may have expired."""
        return self.filter(revoked_at=None, user__is_active=True)

    def usable(self) -> Self:
        """Neither revoked nor expired, of a user who is still active."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.unrevoked().filter(unexpired)

    def revoke(self) -> int:
        """End them now; those revoked before keep their time. How many it were."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())


class ApiToken(models.Model):
    """A person's credential for scripts; shown once, stored hashed."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=SHOWN)
    digest = models.CharField(max_length=64, unique=True)
    # Narrower than the owner's own grants; null means all of them.
    grants = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
