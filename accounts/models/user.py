import re
from typing import Any, ClassVar, Self

from django.contrib.auth import hashers
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, Group
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models.project import Project

# ASCII alone: no name looks like another one that is spelled with other letters.
USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@.+_-]{0,149}", re.ASCII)
USERNAME_RULE = "up to 150 letters, digits, '@', '.', '+', '_' and '-', beginning with a letter or digit"


class UserQuerySet(models.QuerySet["User"]):
    def named(self, username: str) -> Self:
        """The user of this name, whatever the case."""
        return self.alias(lower_name=Lower("username")).filter(lower_name=username.lower())

    def active(self) -> Self:
        return self.filter(is_active=True)

    def people(self) -> Self:
        """Those who are no service account."""
        return self.filter(service_of=None)


class UserManager(BaseUserManager.from_queryset(UserQuerySet)["User"]):  # type: ignore[misc]  # made by Django
    def get_by_natural_key(self, username: str | None) -> "User":
        """Whom a sign-in names: the case does not matter."""
        user: User = self.named(username or "").get()
        return user

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """A row alone; who may make a user, and with which roles, is `actions.users`' business."""
        user: User = self.model(username=username, **fields)
        user.set_password(password)
        user.save()
        return user


class User(AbstractBaseUser):
    """A person or a service account. Users are installation-wide; what they may do comes from their roles alone.

    `service_of`: this is a service account of that project, without a password, so that CI does not end when a person
    leaves. `credential_generation` is in every JWT and session: raising it ends them.
    """

    username = models.CharField(max_length=150, unique=True)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    service_of = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, related_name="service_accounts")
    groups = models.ManyToManyField(Group, related_name="user_set", related_query_name="user")
    credential_generation = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = []

    class Meta:
        ordering: ClassVar = ["username"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("username"), name="username_once_whatever_the_case"),
        ]

    def check_password(self, raw_password: str | None) -> bool:
        """As Django's, but the upgrade of an old hash takes no change of the password back that came meanwhile."""

        def upgrade(raw: str) -> None:
            new = hashers.make_password(raw)
            if User.objects.filter(pk=self.pk, password=self.password).update(password=new):
                self.password = new

        return hashers.check_password(raw_password, self.password, upgrade)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must match at each request: it ends with the password, and with the generation."""
        text = f"{self.password}:{self.credential_generation}"
        return salted_hmac("accounts.User.session", text, secret=secret, algorithm="sha256").hexdigest()

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """Names are judged as sent, never cleaned up."""
        return username
