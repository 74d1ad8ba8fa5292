"""Asks each environment's server for `/version` and `/status`: what polls cannot tell, and what they cannot hide."""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import CharField, Q

from accounts.problems import SecretUnreadable
from environments.actions import slots
from environments.clients.rasa import RasaClient, RasaError, RasaRefused, Status, Version
from environments.models import Environment, ServerCheck

logger = logging.getLogger(__name__)

# Shorter than the shortest interval between two checks, so that a dead server holds nobody up.
TIMEOUT = 2.0
AT_ONCE = 8
# Half of beat's second: a slot is not put off by a whole one because a tick came a moment early.
EARLY = timedelta(seconds=0.5)


@dataclass(frozen=True)
class Finding:
    """What the server said; `version` None: it did not answer. `status` None with an empty `error`: no model loaded."""

    version: Version | None
    status: Status | None
    error: str


def ask(url: str, token: str, unreadable: str = "") -> Finding:
    """Ask one server; never raises for what the server does. A token that is `unreadable` is told in its place."""
    client = RasaClient(url, token=token, timeout=TIMEOUT)
    try:
        version = client.version()
    except RasaError as error:
        return Finding(None, None, str(error))
    if unreadable:
        return Finding(version, None, unreadable)
    try:
        return Finding(version, client.status(), "")
    except RasaRefused as error:
        wrong_token = "It refuses the token that is declared for it." if error.status == 401 else str(error)
        return Finding(version, None, wrong_token)
    except RasaError as error:
        return Finding(None, None, str(error))


def check_due(now: datetime) -> int:
    """Ask every server that is due, several at once, and record what they said; how many were asked."""
    claimed = [environment for environment in _with_url() if _claim(environment, now)]
    # Secrets are read here: the threads keep away from the database.
    asked = [_with_token(environment) for environment in claimed]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        findings = list(pool.map(lambda arguments: ask(*arguments), asked))
    for environment, finding in zip(claimed, findings, strict=True):
        try:
            record(environment, finding, now)
        except Exception:
            # The others were claimed too, and are not asked again soon.
            logger.exception("What the server of %s said could not be recorded.", environment.name)
    return len(claimed)


def _with_token(environment: Environment) -> tuple[str, str, str]:
    """What to ask with: URL, token, and why the token could not be read."""
    try:
        return environment.url, environment.rasa_token, ""
    except SecretUnreadable as error:
        return environment.url, "", error.detail


def _with_url() -> Iterable[Environment]:
    return Environment.objects.active().exclude(url="").select_related("server_check")


def _claim(environment: Environment, now: datetime) -> bool:
    """Take the time slot, so that several beats are harmless."""
    check, _ = ServerCheck.objects.get_or_create(environment=environment, defaults={"due_at": now})
    next_at = now + environment.check_every
    # What is further off was written by a clock that was wrong.
    due = Q(due_at__lte=now + EARLY) | Q(due_at__gt=next_at + slots.APART)
    return bool(ServerCheck.objects.filter(due, pk=check.pk).update(due_at=next_at))


def record(environment: Environment, finding: Finding, now: datetime) -> None:
    """Keep what the server said. Its last known versions outlive an outage."""
    check = ServerCheck.objects.filter(environment=environment).first()
    if check is None:  # Its URL was changed meanwhile.
        return
    check.checked_at = now
    check.error = _cut("error", finding.error)
    if finding.version is None:
        check.failures += 1
    else:
        check.failures, check.reached_at = 0, now
        check.version = _cut("version", finding.version.version)
        check.minimum_compatible_version = _cut(
            "minimum_compatible_version", finding.version.minimum_compatible_version
        )
        if not finding.error:
            _record_model(check, finding.status, now)
    check.save(
        update_fields=[
            "checked_at",
            "error",
            "failures",
            "reached_at",
            "version",
            "minimum_compatible_version",
            "model_id",
            "model_file",
            "model_since",
        ]
    )


def _record_model(check: ServerCheck, status: Status | None, now: datetime) -> None:
    model_id = _cut("model_id", status.model_id) if status else ""
    if model_id != check.model_id or check.model_since is None:
        check.model_since = now
    check.model_id = model_id
    check.model_file = _cut("model_file", status.model_file) if status else ""


def _cut(field: str, text: str) -> str:
    """As much of it as the column takes."""
    column = ServerCheck._meta.get_field(field)
    assert isinstance(column, CharField)  # noqa: S101  # all that a server says is text
    return text[: column.max_length]
