"""Rotation of keys: what secrets are sealed with, and what signs the tokens of `/api/auth`.

A key that was replaced is kept for a while: requests that began before use it, and tokens it signed are good until they
expire. `tidy` removes it then.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from django.apps import apps
from django.db import models, transaction
from django.utils import timezone

from accounts import sealing
from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import SealedField, SealingKey, SigningKey, sealing_key, signing_key
from accounts.problems import OtherInstallationKey, SecretUnreadable

# Longer than any request or transaction; and than the life of a token.
SEALING_GRACE = timedelta(hours=1)
SIGNING_GRACE = timedelta(hours=9)


Key = TypeVar("Key", SealingKey, SigningKey)


@dataclass
class Rotated:
    """The names of the new keys, how many secrets were sealed again, and which could not be read."""

    sealing_key: str
    signing_key: str
    secrets: int = 0
    unreadable: list[str] = field(default_factory=list)


@transaction.atomic
def rotate(*, by: Actor) -> Rotated:
    """New keys, and every secret sealed with the new one; all of it or nothing, while other processes go on.

    What cannot be read is left as it is, with its key, and told.
    """
    _rewrap()
    rotated = Rotated(sealing_key=sealing_key.make().name, signing_key="")
    for row, name in _secrets():
        try:
            _seal_again(row, name)
            rotated.secrets += 1
        except SecretUnreadable:
            rotated.unreadable.append(f"{row._meta.verbose_name} {row}: {name.removeprefix('sealed_')}")
    rotated.signing_key = signing_key.make().kid
    audit.record(by=by, action="keys.rotate", object="keys:all", project=None, after=vars(rotated))
    return rotated


@transaction.atomic
def signing(*, by: Actor) -> SigningKey:
    """The newest key that signs. The first is made here, and another where a lost installation key took it along."""
    key = SigningKey.objects.first()
    if key is not None and _is_readable(key):
        return key
    made = signing_key.make()
    before = {"unreadable": key.kid} if key else None
    audit.record(
        by=by, action="keys.make", object="keys:signing", project=None, before=before, after={"signing_key": made.kid}
    )
    return made


def check_installation_key() -> None:
    """Raise `OtherInstallationKey` where the ring was wrapped by one that this process does not have."""
    fingerprint = sealing_key.unknown()
    if fingerprint is not None:
        raise OtherInstallationKey(fingerprint)


@transaction.atomic
def begin_anew(*, by: Actor) -> None:
    """Seal with the present installation key from now on, for the one before is lost. What was sealed stays sealed."""
    fingerprint = sealing_key.unknown()
    if fingerprint is None:
        return
    made = sealing_key.make()
    before, after = {"installation_key": fingerprint}, {"sealing_key": made.name, "installation_key": made.wrapped_by}
    audit.record(by=by, action="keys.lost", object="keys:all", project=None, before=before, after=after)


def ensure_signing(*, by: Actor) -> None:
    """The first key, where there is none: who asks for the public keys expects one."""
    if not SigningKey.objects.exists():
        signing(by=by)


def _is_readable(key: SigningKey) -> bool:
    try:
        return bool(key.private_key)
    except SecretUnreadable:
        return False


@transaction.atomic
def tidy(now: datetime | None = None) -> int:
    """Remove the keys whose time is over; how many it were."""
    now = now or timezone.now()
    stale = {key.name: key for key in _replaced_before(SealingKey, now - SEALING_GRACE)}
    # Whoever was slow may have written with one of them after the rotation.
    for row, name in _secrets() if stale else ():
        used = sealing_key.key_of(getattr(row, name))
        try:
            if used in stale:
                _seal_again(row, name)
        except SecretUnreadable:
            del stale[used]
    gone = [*stale.values(), *_replaced_before(SigningKey, now - SIGNING_GRACE)]
    for key in gone:
        key.delete()
    return len(gone)


def _replaced_before(keys: type[Key], moment: datetime) -> list[Key]:
    """The keys that had a successor by then."""
    successor = keys._default_manager.filter(created_at__lte=moment).order_by("-pk").first()
    return list(keys._default_manager.filter(pk__lt=successor.pk)) if successor else []


def _rewrap() -> None:
    """Wrap the ring with the present installation key, so that an earlier one is needed no more."""
    keys = sealing.installation_keys()
    for row in SealingKey.objects.select_for_update().exclude(wrapped_by=sealing.fingerprint(keys[0])):
        key = sealing.unwrap(row.wrapped, keys)
        if key is not None:
            row.wrapped, row.wrapped_by = sealing.wrap(key), sealing.fingerprint(keys[0])
            row.save(update_fields=["wrapped", "wrapped_by"])


def _secrets() -> Iterator[tuple[models.Model, str]]:
    """Every secret there is, of whatever model: its row, locked, and the name of its field."""
    for model in apps.get_models():
        names = [field.attname for field in model._meta.local_fields if isinstance(field, SealedField)]
        for row in model._base_manager.select_for_update(no_key=True).order_by("pk") if names else ():
            yield from ((row, name) for name in names if getattr(row, name))


def _seal_again(row: models.Model, name: str) -> None:
    sealed = sealing_key.seal(sealing_key.unseal(getattr(row, name)))
    type(row)._base_manager.filter(pk=row.pk).update(**{name: sealed})
