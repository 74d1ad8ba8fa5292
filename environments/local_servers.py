"""Environments whose Rasa server runs on this machine, started by `manage.py up`, and what is missing for it.

`up` notes what is missing in `rasa-missing.json` under `CONTROLPLANE_HOME`, which the pages read:
`{"detail": "sentences that say what is missing and how to get it", "environments": ["<project>/<name>", …]}`.
"""

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from environments.models import Environment


def is_local(url: str) -> bool:
    """Whether `url` is a loopback address, where no other machine's Rasa server can be."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "http":
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def local_environments() -> list[Environment]:
    active = Environment.objects.active().select_related("project", "follows")
    return [environment for environment in active if is_local(environment.url)]


@dataclass(frozen=True)
class Missing:
    detail: str
    environments: tuple[str, ...]


def _note() -> Path:
    return Path(settings.CONTROLPLANE_HOME) / "rasa-missing.json"


def note_missing(detail: str, environments: list[Environment]) -> None:
    names = [f"{environment.project.name}/{environment.name}" for environment in environments]
    _note().write_text(json.dumps({"detail": detail, "environments": names}, indent=2) + "\n")


def note_present() -> None:
    _note().unlink(missing_ok=True)


def missing() -> Missing | None:
    """Why the Rasa servers of this machine do not run; None where they do, or where there are none."""
    try:
        note = json.loads(_note().read_text())
        return Missing(detail=note["detail"], environments=tuple(note["environments"]))
    except (FileNotFoundError, ValueError, KeyError):
        return None
