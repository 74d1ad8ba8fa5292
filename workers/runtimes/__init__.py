"""How Rasa is run. `RasaRuntime` is what any way of it must do; `server` does it through a Rasa server."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from environments.bundles import Project


class Archive(Protocol):
    """A trained archive while it arrives. `filename` is Rasa's own name for it, with suffix, or ""."""

    filename: str

    def read(self, size: int, /) -> bytes: ...


class RasaRuntime(Protocol):
    def train(self, project: Project, config: str, note: Callable[[str], None]) -> AbstractContextManager[Archive]:
        """Train `project`, with `config` in place of its own if there is one; `note` is told each step.

        Raises `TrainingFailed` where the data is at fault, `TrainingUnavailable` where the runtime is.
        """
        ...
