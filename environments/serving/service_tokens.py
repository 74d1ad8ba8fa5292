"""Service tokens of Rasa servers: derived from the installation key, not stored.

`cps_<environment>_<mac>`; the MAC is over project, environment and generation. Rotation raises the generation and
keeps the one before for a grace period.
"""

import base64
import hashlib
import hmac
from datetime import timedelta
from functools import lru_cache

from django.conf import settings
from django.utils import timezone

from environments import sealing
from environments.models import Environment
from environments.serving import lookup
from environments.serving.lookup import Found

PREFIX = "cps_"
GRACE = timedelta(hours=24)


def _derived(environment: Environment, project: str, generation: int) -> str:
    text = f"{project}/{environment.name}/{generation}"
    return f"{PREFIX}{environment.pk}_{_mac(settings.SECRET_KEY, text)}"


@lru_cache(maxsize=256)
def _mac(key: str, text: str) -> str:
    """The key is among the arguments so that another one is never answered with what the first one gave."""
    mac = hmac.digest(sealing.derived_key("service-tokens"), text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def service_token(environment: Environment) -> str:
    """The token its servers send; the same at each call until it is rotated."""
    return _derived(environment, environment.project.name, environment.token_generation)


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
    return hmac.compare_digest(token.encode(), _derived(found.environment, found.project, generation).encode())


def _in_grace(environment: Environment) -> bool:
    """Whether the token before the present one still counts; read from the database only for who sends that one."""
    rotated_at = environment.token_rotated_at
    return rotated_at is not None and timezone.now() - rotated_at < GRACE


def environment_of(token: str) -> Environment | None:
    """The active environment whose token this is."""
    found = find(token)
    return found.environment if found else None


def is_installation_token(token: str) -> bool:
    """Whether this is the value of `RASA_X_TOKEN`, which opens every tag and model; unset, there is none."""
    expected = settings.RASA_X_TOKEN
    return bool(expected) and hmac.compare_digest(token.encode(), expected.encode())
