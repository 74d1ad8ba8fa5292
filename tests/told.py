"""A watch for tests of runtimes: keeps what it was told, and ends the run when a test says so."""

import threading
from contextlib import contextmanager


class Told:
    """As `workers.watching.Watch`, without a job. `end(reason)`: the run is over."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.steps: list[str] = []
        self.progress: list[float | None] = []
        self.text = ""
        self.seconds_left = seconds
        self.began = threading.Event()
        self._over: Exception | None = None
        self._interruptions = []

    def step(self, text, progress=None) -> None:
        self.check()
        if text not in self.steps[-1:]:
            self.steps.append(text)
        self.progress.append(progress)

    def log(self, text) -> None:
        self.text += text
        self.check()

    def check(self) -> None:
        if self._over is not None:
            raise self._over

    @contextmanager
    def interrupted_by(self, stop):
        self.check()
        self._interruptions.append(stop)
        self.began.set()
        try:
            yield
        except Exception:
            self.check()
            raise
        finally:
            self._interruptions.remove(stop)

    def end(self, reason: Exception) -> None:
        self._over = reason
        for stop in list(self._interruptions):
            stop()
