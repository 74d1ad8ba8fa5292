"""Service tokens of Rasa servers: derived from the installation key, not stored.

`cps_<environment>_<mac>`; the MAC is over project, environment and generation. Rotation raises the generation and
keeps the one before for a grace period.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.utils import timezone

from accounts import sealing
from accounts.authentication import SERVICE_PREFIX as PREFIX
from environments.models import Environment
from environments.serving import lookup
from environments.serving.lookup import Found


def _derived(environment: Environment, project: str, generation: int, key: str) -> str:
    text = f"{project}/{environment.name}/{generation}"
    return f"{PREFIX}{environment.pk}_{_mac(key, text)}"


@lru_cache(maxsize=256)
def _mac(key: str, text: str) -> str:
    mac = hmac.digest(sealing.derived_key("service-tokens", key), text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def service_token(environment: Environment) -> str:
    """The token its servers send; the same at each call until it is rotated."""
    return _derived(environment, environment.project.name, environment.token_generation, settings.SECRET_KEY)


def find(token: str) -> Found | None:
    """The active environment whose token this is, with what it pulls."""
    number = token.removeprefix(PREFIX).partition("_")[0]
    if not token.startswith(PREFIX) or not number.isdecimal() or len(number) > 18:
        return None
    found = lookup.by_key(int(number))
    if found is None:
        return None
    generation = found.environment.token_generation
    if _is_of(token, found, generation) or (_is_of(token, found, generation - 1) and _in_grace(found.environment)):
        return found
    return None


def _is_of(token: str, found: Found, generation: int) -> bool:
    """Also one that was derived from an earlier installation key, for as long as that is configured."""
    return any(
        hmac.compare_digest(token.encode(), _derived(found.environment, found.project, generation, key).encode())
        for key in sealing.installation_keys()
    )


def _in_grace(environment: Environment) -> bool:
    """Whether the token before the present one still counts; read from the database only for who sends that one."""
    return previous_valid_until(environment) is not None


def previous_valid_until(environment: Environment) -> datetime | None:
    """Until when the token before the present one is answered, None where it is not any more."""
    until = environment.previous_token_until
    return until if until is not None and until > timezone.now() else None


def environment_of(token: str) -> Environment | None:
    """The active environment whose token this is."""
    found = find(token)
    return found.environment if found else None
