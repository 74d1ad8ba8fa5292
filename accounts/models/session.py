import hashlib
from typing import ClassVar, Self

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone

from accounts.models.user import User

BROWSER = 200


def digest(key: str) -> str:
    """What is stored of a session's key. A plain hash is enough: Django's keys have 160 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


class SessionQuerySet(models.QuerySet["Session"]):
    def live(self) -> Self:
        return self.filter(expire_date__gt=timezone.now())

    def expired(self) -> Self:
        return self.filter(expire_date__lte=timezone.now())


class Session(AbstractBaseSession):
    """A browser that is signed in. `session_key` is the hash of the key in its cookie: who reads this cannot use it."""

    session_key = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    created_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    address = models.CharField(max_length=64, blank=True)
    browser = models.CharField(max_length=BROWSER, blank=True)

    objects = SessionQuerySet.as_manager()  # type: ignore[assignment,misc]  # Django's own has nothing that is needed

    class Meta:
        ordering: ClassVar = ["-last_seen_at"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.session_key[:8]
