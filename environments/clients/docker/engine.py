"""What runs on an engine: containers by their labels, what they print, and a restart of one of them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import docker

from environments.clients.docker import sdk
from environments.clients.docker.errors import EngineUnreachable, Gone, told

# Seconds for one answer, and for all that one look asks.
TIMEOUT = 3.0
LOOK_WITHIN = 6.0
# How long a container may take to end before it is killed, as `docker restart` has it.
STOP_WITHIN = 10
MAX_TAIL = 256 * 1024
NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True)
class Memory:
    """Bytes that a container's processes hold, and may hold."""

    used: int
    limit: int


@dataclass(frozen=True)
class Container:
    """One container. `state` is the engine's word (created, running, paused, restarting, removing, exited, dead),
    `health` what its health check says, "" without one; `restarts` those by the engine since it was made."""

    id: str
    name: str
    hostname: str
    image: str
    state: str
    labels: Mapping[str, str] = field(default_factory=dict)
    health: str = ""
    restarts: int = 0
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    memory: Memory | None = None

    @property
    def runs(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True)
class Engine:
    """`url`: a socket (`unix:///…`) or the address of a socket proxy (`tcp://…`)."""

    url: str
    timeout: float = TIMEOUT

    def containers(self, labels: Sequence[str]) -> list[Container]:
        """Those with all these labels (`name` or `name=value`), also stopped ones, by name."""
        deadline = time.monotonic() + LOOK_WITHIN
        with sdk.connected(self.url, self.timeout) as client:
            listed = client.containers(all=True, filters={"label": list(labels)})
            found = [_inspected(client, str(item["Id"]), deadline) for item in listed]
            known = [_with_memory(client, container, deadline - LOOK_WITHIN / 2) for container in found if container]
        return sorted(known, key=lambda container: container.name)

    def tail(self, identifier: str, lines: int) -> str:
        """The last that the container printed, at most `MAX_TAIL` bytes of it."""
        with sdk.connected(self.url, self.timeout) as client:
            path = f"/containers/{identifier}/logs"
            pieces = sdk.streamed(client, path, self.timeout, stdout=1, stderr=1, tail=lines)
            printed = _last(sdk.frames(pieces), MAX_TAIL)
        return printed.decode(errors="replace")

    def restart(self, identifier: str) -> None:
        """Stop the container and start it again; it is given `STOP_WITHIN` seconds to end by itself."""
        with sdk.connected(self.url, self.timeout) as client:
            client.restart(identifier, timeout=STOP_WITHIN)


def _inspected(client: docker.APIClient, identifier: str, deadline: float) -> Container | None:
    """None of one that went away meanwhile."""
    if time.monotonic() > deadline:
        raise EngineUnreachable("The engine did not answer in time.")
    try:
        with told():
            return _container(client.inspect_container(identifier))
    except Gone:
        return None


def _with_memory(client: docker.APIClient, container: Container, deadline: float) -> Container:
    """As far as there is time: who looks at many containers does without it."""
    if not container.runs or time.monotonic() > deadline:
        return container
    try:
        with told():
            stats = client.stats(container.id, stream=False, one_shot=True)
            return replace(container, memory=_memory(stats.get("memory_stats") or {}))
    except Gone:
        return container


def _container(found: Mapping[str, Any]) -> Container:
    state, config = found.get("State") or {}, found.get("Config") or {}
    return Container(
        id=str(found["Id"]),
        name=str(found.get("Name", "")).lstrip("/"),
        hostname=str(config.get("Hostname") or ""),
        image=str(config.get("Image") or ""),
        state=str(state.get("Status") or "dead"),
        labels=config.get("Labels") or {},
        health=_health(state),
        restarts=int(found.get("RestartCount") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        out_of_memory=bool(state.get("OOMKilled")),
        error=str(state.get("Error") or ""),
        started_at=_time(state.get("StartedAt")),
        finished_at=_time(state.get("FinishedAt")),
    )


def _health(state: Mapping[str, Any]) -> str:
    status = str((state.get("Health") or {}).get("Status") or "")
    return "" if status == "none" else status


def _time(text: str | None) -> datetime | None:
    """The engine writes nanoseconds, and year 1 for never."""
    if not text or text == NEVER:
        return None
    seconds, _, rest = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{rest[:6]:0<6}").replace(tzinfo=UTC)


def _memory(stats: Mapping[str, Any]) -> Memory | None:
    if "usage" not in stats:
        return None
    # What the kernel keeps of files is given back as soon as somebody needs it (cgroups of version 2 and of 1).
    details = stats.get("stats") or {}
    kept = details.get("inactive_file", details.get("total_inactive_file", 0))
    return Memory(used=max(0, int(stats["usage"]) - int(kept)), limit=int(stats.get("limit") or 0))


def _last(pieces: Iterator[bytes], size: int) -> bytes:
    kept = b""
    for piece in pieces:
        kept = (kept + piece)[-size:]
    return kept
