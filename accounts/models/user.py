from typing import ClassVar

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person. Users are installation-wide; what they may do is given per project and environment."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]

    REQUIRED_FIELDS: ClassVar = []
