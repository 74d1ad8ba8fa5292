"""Secrets that must be read back, as fields: encrypted at rest, found by `rotate_keys` in every model."""

from typing import Any

from django.db import models

from accounts.models import sealing_key
from accounts.problems import SecretUnreadable


class SealedField(models.TextField):  # type: ignore[type-arg]
    """The column holds the sealed text. `Plain` beside it gives and takes the secret itself:

    sealed_password = SealedField(blank=True)
    password = Plain("sealed_password")
    """


class Plain(property):
    """The secret of the `SealedField` that is named, in the clear; never shown.

    Raises `SecretUnreadable` where its key is missing. Giving the same secret again changes nothing.
    """

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(self._read, self._write)

    def __get__(self, instance: Any, owner: type | None = None) -> str:  # type: ignore[override]
        secret: str = super().__get__(instance, owner)
        return secret

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def _read(self, instance: models.Model) -> str:
        try:
            return sealing_key.unseal(getattr(instance, self.field))
        except SecretUnreadable as error:
            what = f"The {self.name} of the {instance._meta.verbose_name} {instance}"
            raise SecretUnreadable(f"{what} {error.detail}") from None

    def _write(self, instance: models.Model, secret: str) -> None:
        setattr(instance, self.field, sealing_key.reseal(getattr(instance, self.field), secret))
