"""What runs on the engine, and what stands in the deployment file, beside what is declared."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from accounts.problems import Problem
from environments import deploying, deployment_folder, drift
from environments.clients.docker.engine import Container
from environments.compose.generating import generate
from environments.compose.service import Service
from environments.deployment_folder import FolderRefused
from environments.drift import Finding
from environments.engine import looking
from environments.engine.looking import Look

logger = logging.getLogger(__name__)

# Seconds for which pages go on with what was declared.
KEPT = 10.0


def services(generated: Iterable[Service]) -> list[drift.Service]:
    return [
        drift.Service(item.server.project, item.server.name, item.name, item.digest, item.server.replicas)
        for item in generated
    ]


def in_text(text: str) -> list[drift.Service]:
    """The generated services of an override file; none of one that cannot be read, which others tell of."""
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return []
    entries = document.get("services") if isinstance(document, dict) else None
    found = [_in_file(name, entry) for name, entry in entries.items()] if isinstance(entries, dict) else []
    return [service for service in found if service]


def _in_file(name: Any, entry: Any) -> drift.Service | None:
    labels = entry.get("labels") if isinstance(entry, dict) else None
    if not isinstance(labels, dict) or drift.ENVIRONMENT not in labels:
        return None
    project, definition = labels.get(drift.PROJECT, "default"), labels.get(drift.DEFINITION, "")
    return drift.Service(str(project), str(labels[drift.ENVIRONMENT]), str(name), str(definition))


def running(container: Container) -> drift.Running:
    return drift.Running(
        name=container.name,
        labels=container.labels,
        state=container.state,
        restarts=container.restarts,
        exit_code=container.exit_code,
        out_of_memory=container.out_of_memory,
        started_at=container.started_at,
    )


def on_engine(look: Look, declared: Iterable[drift.Service]) -> list[Finding]:
    return drift.on_engine(list(declared), [running(container) for container in look.containers], timezone.now())


# For pages


@dataclass(frozen=True)
class _Declared:
    at: float
    services: list[drift.Service] | None


_kept: dict[tuple[str, str], _Declared] = {}


def known() -> Mapping[tuple[str, str], list[Finding]]:
    """What was last seen to differ, by project and environment, at once; nothing where no engine is asked."""
    watcher = looking.watcher()
    look = watcher.known() if watcher else None
    declared = _declared() if look and not look.error else None
    if look is None or declared is None:
        return {}
    found: dict[tuple[str, str], list[Finding]] = {}
    for finding in on_engine(look, declared):
        found.setdefault((finding.project, finding.environment), []).append(finding)
    return found


def _declared() -> list[drift.Service] | None:
    """None where it cannot be read: a command or the next start tells why."""
    key = (settings.CONTROLPLANE_DOCKER_URL, str(settings.CONTROLPLANE_ENVIRONMENTS))
    kept = _kept.get(key)
    if kept is None or time.monotonic() - kept.at > KEPT:
        kept = _kept[key] = _Declared(time.monotonic(), _read())
    return kept.services


def _read() -> list[drift.Service] | None:
    try:
        stack = deployment_folder.stack_services(settings.CONTROLPLANE_ENVIRONMENTS.parent)
        servers = deploying.servers(deploying.declaration(), deploying.made_through_the_api())
    except (Problem, FolderRefused) as error:
        logger.warning("what is declared could not be compared with the engine: %s", error)
        return None
    made = generate(servers, stack)
    # Of a refused environment there is no service, and what runs of it would be taken for too much.
    return None if made.refusals else services(made.services)
