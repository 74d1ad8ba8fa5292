"""What is declared, what stands in the deployment file and what runs on the engine, compared. Pure.

Containers are known by the labels of the generated services, and what a service is by the digest of its definition.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

PROJECT, ENVIRONMENT = "controlplane.project", "controlplane.environment"
DEFINITION = "controlplane.definition"
SERVICE, COMPOSE_PROJECT = "com.docker.compose.service", "com.docker.compose.project"

# So many starts by the engine, the last one so short ago, are no accident any more.
LOOPS_FROM, LOOPS_WITHIN = 3, timedelta(minutes=2)
RUNNING, RESTARTING = "running", "restarting"


class Kind(StrEnum):
    """From the worst to the least."""

    MISSING = "missing"
    STOPPED = "stopped"
    RESTARTING = "restarting"
    FEWER = "fewer"
    STALE = "stale"
    EXTRA = "extra"


@dataclass(frozen=True)
class Service:
    """A service of one environment: as it is declared, or as a file has it."""

    project: str
    environment: str
    name: str
    definition: str
    replicas: int = 1

    @property
    def of(self) -> tuple[str, str, str]:
        return self.project, self.environment, self.name


@dataclass(frozen=True)
class Running:
    """A container, whatever its state, which is the engine's word for it."""

    name: str
    labels: Mapping[str, str]
    state: str
    restarts: int = 0
    exit_code: int = 0
    out_of_memory: bool = False
    started_at: datetime | None = None

    @property
    def of(self) -> tuple[str, str, str]:
        named = self.labels.get
        return named(PROJECT, "default"), named(ENVIRONMENT, ""), named(SERVICE, self.name)

    def loops(self, now: datetime) -> bool:
        """Whether the engine starts it again and again."""
        lately = self.started_at is not None and now - self.started_at < LOOPS_WITHIN
        return self.state == RESTARTING or (self.restarts >= LOOPS_FROM and lately and self.state == RUNNING)


@dataclass(frozen=True)
class Finding:
    """What differs, as a sentence, and the one command that cures it (or shows the cause)."""

    kind: Kind
    project: str
    environment: str
    service: str
    sentence: str
    command: str

    def __str__(self) -> str:
        return f"{self.service}: {self.sentence} Run: {self.command}"


# The file


def in_file(declared: Collection[Service], filed: Collection[Service]) -> list[Finding]:
    """What the deployment file has otherwise than it is declared."""
    return _ordered(_in_file(declared, filed))


def _in_file(declared: Collection[Service], filed: Collection[Service]) -> Iterator[Finding]:
    known, written = {item.of for item in declared}, {item.of: item for item in filed}
    for item in declared:
        there = written.get(item.of)
        if there is None:
            yield _found(Kind.MISSING, item, f"The file has no service of {item.environment}.", _write_and_up(item))
        elif there.definition != item.definition:
            sentence = f"The file has {item.environment} otherwise than it is declared."
            yield _found(Kind.STALE, item, sentence, _write_and_up(item))
    for item in filed:
        if item.of not in known:
            sentence = f"The file has a service of {item.environment}, which is not declared."
            yield _found(
                Kind.EXTRA, item, sentence, "manage.py compose --write && docker compose up -d --remove-orphans"
            )


# The engine


def on_engine(declared: Collection[Service], running: Collection[Running], now: datetime) -> list[Finding]:
    """What the engine runs otherwise than it is declared."""
    known = {item.of for item in declared}
    found: dict[tuple[str, str, str], list[Running]] = {}
    for container in running:
        found.setdefault(container.of, []).append(container)
    findings = [finding for item in declared for finding in _of_service(item, found.get(item.of, []), now)]
    extra = [finding for of, containers in found.items() if of not in known for finding in _extra(of, containers)]
    return _ordered([*findings, *extra])


def _of_service(item: Service, containers: Collection[Running], now: datetime) -> Iterator[Finding]:
    looping = [container for container in containers if container.loops(now)]
    steady = [container for container in containers if container.state == RUNNING and container not in looping]
    for container in looping:
        logs = f"docker compose logs --tail 50 {item.name}"
        yield _found(Kind.RESTARTING, item, _why_looping(container), logs)
    if not containers:
        sentence = (
            f"No container of {item.environment} is on the engine: an upgrade dropped it, or it was never started."
        )
        yield _found(Kind.MISSING, item, sentence, _write_and_up(item))
    elif not steady and not looping:
        yield _found(Kind.STOPPED, item, _why_stopped(item, containers), f"docker compose up -d {item.name}")
    elif len(steady) + len(looping) < item.replicas:
        run = len(steady) + len(looping)
        sentence = f"{run} of {item.replicas} replicas of {item.environment} {'runs' if run == 1 else 'run'}."
        yield _found(Kind.FEWER, item, sentence, f"docker compose up -d {item.name}")
    yield from _not_as_declared(item, [*steady, *looping])


def _not_as_declared(item: Service, containers: Collection[Running]) -> Iterator[Finding]:
    old = sorted(one.name for one in containers if one.labels.get(DEFINITION, "") != item.definition)
    if old:
        verb = "runs" if len(old) == 1 else "run"
        sentence = f"{', '.join(old)} {verb} with another definition than the one that is declared."
        yield _found(Kind.STALE, item, sentence, _write_and_up(item))
    elif len(containers) > item.replicas:
        sentence = f"{len(containers)} replicas of {item.environment} run, and {item.replicas} are declared."
        yield _found(Kind.EXTRA, item, sentence, f"docker compose up -d {item.name}")


def _why_looping(container: Running) -> str:
    why = "for want of memory" if container.out_of_memory else f"with the exit code {container.exit_code}"
    ended = f" It ended {why} the last time." if container.exit_code or container.out_of_memory else ""
    return f"{container.name} restarts in a loop: {container.restarts} times so far.{ended}"


def _why_stopped(item: Service, containers: Collection[Running]) -> str:
    states = sorted({container.state for container in containers})
    return f"No container of {item.environment} runs: {' and '.join(states)}."


def _extra(of: tuple[str, str, str], containers: Collection[Running]) -> Iterator[Finding]:
    """One that was stopped does no harm, and nobody wonders where it came from."""
    project, environment, service = of
    if any(container.state in (RUNNING, RESTARTING) for container in containers):
        sentence = f"It runs, and is of no environment that is declared (its labels say {environment})."
        command = "docker compose up -d --remove-orphans"
        yield Finding(Kind.EXTRA, project, environment, service, sentence, command)


def _found(kind: Kind, item: Service, sentence: str, command: str) -> Finding:
    return Finding(kind, item.project, item.environment, item.name, sentence, command)


def _write_and_up(item: Service) -> str:
    return f"manage.py compose --write && docker compose up -d {item.name}"


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    worst = list(Kind)
    return sorted(findings, key=lambda one: (worst.index(one.kind), one.project, one.service))
