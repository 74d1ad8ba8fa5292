"""A control plane to measure: a home in a temporary folder, the web process as `manage.py up` runs it."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from controlplane.supervisor import Program
from tests.live import ControlPlane

REPLICAS = 100
ENVIRONMENTS = f"""
rasa:
  production: {{url: "http://127.0.0.1:9", pull_interval: 10, replicas: {REPLICAS}}}
  experimental: {{url: "http://127.0.0.1:9/experimental", pull_interval: 10}}
  worker: {{url: "http://127.0.0.1:9/worker", pull_interval: 10}}
"""


class Installation(ControlPlane):
    """A control plane that also serves the benchmarks' URLs."""

    def _program(self, part: str) -> Program:
        program = super()._program(part)
        return replace(program, environment={**program.environment, "DJANGO_SETTINGS_MODULE": "tests.bench.settings"})

    def seed(self, call: str, of: str = "seeds") -> Any:
        """What a function of `tests.bench.seeds`, or of another module there, returns that runs inside the
        installation."""
        return json.loads(self.run(f"import json\nfrom tests.bench import {of}\nprint(json.dumps({of}.{call}))"))

    @property
    def port(self) -> int:
        return self.ports["web"]

    def pids(self) -> list[int]:
        """The processes of the web program."""
        group = self.running["web"].process.pid
        return [pid for pid in _all_pids() if _group_of(pid) == group]


def _all_pids() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


@contextmanager
def installation(
    environments: str = ENVIRONMENTS,
    *,
    variables: Mapping[str, str] | None = None,
    parts: Sequence[str] = ("web",),
) -> Iterator[Installation]:
    """Prepared, with its parts running."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        control_plane = Installation(Path(home), environments, variables=variables, parts=parts)
        try:
            yield control_plane
        finally:
            control_plane.stop()


CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """What runs and what is started meanwhile has one core: 0 is the server's, -1 the load's. Without effect where
    the system knows no affinity."""
    if not CORES:
        yield
        return
    os.sched_setaffinity(0, {CORES[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(CORES))
