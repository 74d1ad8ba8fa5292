"""Rasa servers that pull their model as stock Rasa does, on a clock that the test turns.

They know what they truly have loaded, so a test can hold against it what the control plane says of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Protocol

START = 1_800_000_000.0


def hash_of(model: str) -> str:
    return sha256(model.encode()).hexdigest()


class ControlPlane(Protocol):
    """What a server meets: each poll gets the name of the model whose archive it is given, None for a 304, 404 or 503;
    `TimeoutError` where nobody answers. It notices where a transfer broke off."""

    def poll(self, replica: str, etag: str, now: float) -> str | None: ...

    def broke_off(self, replica: str, etag: str, model: str) -> None: ...


@dataclass
class Process:
    """One Sanic worker. Before it serves it has asked for a model once; while it loads one it answers nothing."""

    replica: "Replica"
    uuid: str
    next_poll: float
    etag: str
    loaded: str | None = None
    loading: str | None = None
    heard: bool = False

    def poll(self, control_plane: ControlPlane, loads: Callable[[str], bool]) -> None:
        now = self.next_poll
        if self.loading:
            if loads(self.loading):
                self.loaded, self.etag = self.loading, hash_of(self.loading)
            self.loading = None
        self.next_poll = now + self.replica.interval
        if self.replica.cut_off:
            return
        try:
            given = control_plane.poll(self.replica.name, self.etag, now)
        except TimeoutError:
            return
        self.heard = True
        if given and self.replica.breaks:
            self.replica.breaks -= 1
            control_plane.broke_off(self.replica.name, self.etag, given)
        elif given:
            self.loading = given
            # The polls that fall into the time of loading are left out.
            while self.next_poll < now + self.replica.load_seconds:
                self.next_poll += self.replica.interval


@dataclass
class Replica:
    """One Rasa server; its processes share the name. `cut_off`: its requests do not arrive; `breaks`: so many of the
    next transfers to it break off."""

    name: str
    load_seconds: float
    interval: float
    processes: list[Process] = field(default_factory=list)
    cut_off: bool = False
    breaks: int = 0


class Servers:
    """The Rasa servers of one environment; they poll every `interval` seconds."""

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        replicas: int,
        workers: int,
        interval: float,
        loads: Callable[[str], bool],
    ) -> None:
        self.control_plane, self.loads = control_plane, loads
        self.now = START
        self._uuids = count(1)
        self.replicas: list[Replica] = []
        for number in range(replicas):
            # Never a multiple of the interval, so that no two things happen at the same moment.
            replica = Replica(f"rasa-{number}", load_seconds=0.03 if number % 2 else 16.7, interval=interval)
            phases = [interval * (0.1 * number + 0.23 * worker) for worker in range(workers)]
            replica.processes = [self._process(replica, phase) for phase in phases]
            self.replicas.append(replica)

    @property
    def processes(self) -> list[Process]:
        return [process for replica in self.replicas for process in replica.processes]

    def _process(self, replica: Replica, after: float) -> Process:
        uuid = f"{next(self._uuids):032x}"
        return Process(replica, uuid, next_poll=self.now + after, etag=uuid)

    def restart(self, replica: int, worker: int, after: float) -> None:
        chosen = self.replicas[replica % len(self.replicas)]
        chosen.processes[worker % len(chosen.processes)] = self._process(chosen, after)

    def run(self, seconds: float, look: Callable[[], None]) -> None:
        """Let time pass; `look` is called after each poll and at the end."""
        end = self.now + seconds
        while (process := min(self.processes, key=lambda each: each.next_poll)).next_poll <= end:
            self.now = process.next_poll
            process.poll(self.control_plane, self.loads)
            look()
        self.now = end
        look()
