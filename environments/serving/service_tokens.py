"""Service tokens of Rasa servers: derived from the installation key, not stored.

`cps_<environment>_<mac>`; the MAC is over project, environment and generation. Rotation raises the generation and
keeps the one before for a grace period.
"""

import base64
import hashlib
import hmac
from datetime import timedelta

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
    mac = hmac.digest(sealing.derived_key("service-tokens"), text.encode(), hashlib.sha256)
    return f"{PREFIX}{environment.pk}_{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


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
    matches = [hmac.compare_digest(token.encode(), accepted.encode()) for accepted in _accepted(found)]
    return found if any(matches) else None


def _accepted(found: Found) -> list[str]:
    environment, generation = found.environment, found.environment.token_generation
    tokens = [_derived(environment, found.project, generation)]
    rotated_at = environment.token_rotated_at
    if rotated_at and timezone.now() - rotated_at < GRACE:
        tokens.append(_derived(environment, found.project, generation - 1))
    return tokens


def environment_of(token: str) -> Environment | None:
    """The active environment whose token this is."""
    found = find(token)
    return found.environment if found else None


def is_installation_token(token: str) -> bool:
    """Whether this is the value of `RASA_X_TOKEN`, which opens every tag and model; unset, there is none."""
    expected = settings.RASA_X_TOKEN
    return bool(expected) and hmac.compare_digest(token.encode(), expected.encode())
