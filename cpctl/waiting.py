"""Following what goes on at the control plane until it ends. It goes on when this program ends, or the network.

Each function returns the last document of what it followed, and raises Failure where the time is over first.
"""

import time
from collections.abc import Callable
from typing import Any

from cpctl.api import PATIENCE_WHILE_WAITING, Api, segment
from cpctl.exits import Exit
from cpctl.failures import Failure

Document = dict[str, Any]

# Not held with `?wait=`: a control plane holds few requests at a time, and progress is to be seen meanwhile.
LOOK_EVERY = 0.5
PIECES = 10
ACTIVE = frozenset({"queued", "running"})
ROLLING_OUT = "rolling_out"


class Deadline:
    """`seconds` from now; None never comes. `hint` says how to go on looking when it has come."""

    def __init__(self, api: Api, seconds: float | None, what: str, hint: str) -> None:
        self._api = api
        self._end = None if seconds is None else time.monotonic() + seconds
        self._seconds = seconds
        self._what = what
        self.hint = hint

    def check(self) -> None:
        """Before each request: it may take as long as there is time left."""
        left = self.left()
        self._api.patience = min(PATIENCE_WHILE_WAITING, max(left, 1.0))
        if left <= 0:
            raise Failure(
                Exit.UNFINISHED,
                f"{self._what} has not ended within {self._seconds:.0f} s, and goes on. {self.hint}",
                title="Not finished",
            )

    def left(self) -> float:
        return PATIENCE_WHILE_WAITING if self._end is None else self._end - time.monotonic()

    def pause(self, seconds: float = LOOK_EVERY) -> None:
        time.sleep(max(min(seconds, self.left()), 0))


class Log:
    """The log of a job, read on from where it was. A last line without its end is kept until that comes."""

    def __init__(self, api: Api, job: str, show: Callable[[str], None]) -> None:
        self._api = api
        self._path = f"jobs/{segment(job)}/log/"
        self._show = show
        self._offset = 0
        self._rest = ""

    def read(self, pieces: int = PIECES) -> bool:
        """What is new, up to so many pieces: a job may print faster than it is read. Whether that was all."""
        for _ in range(pieces):
            piece = self._api.get(self._path, {"offset": self._offset})
            self._offset = piece["next_offset"]
            if not piece["text"]:
                return True
            whole, newline, self._rest = (self._rest + piece["text"]).rpartition("\n")
            if newline:
                self._show(f"{whole}\n")
        return False

    def end(self) -> None:
        """All of it, also a last line without its end."""
        while not self.read():
            pass
        if self._rest:
            self._show(f"{self._rest}\n")
            self._rest = ""


def job(api: Api, number: str, deadline: Deadline, *, show: Callable[[str], None] | None = None) -> Document:
    """Until the job has ended; its log goes to `show`, by default to the terminal."""
    log = Log(api, number, show or api.terminal.log)
    try:
        while True:
            deadline.check()
            found: Document = api.get(f"jobs/{segment(number)}/")
            if found["status"] not in ACTIVE:
                log.end()
                return found
            api.terminal.progress(_stage(found), found["progress"])
            log.read()
            deadline.pause()
    finally:
        api.terminal.done()


def _stage(found: Document) -> str:
    return f"job {found['id']} {found['status']}" + (f": {found['step']}" if found["step"] else "")


def promotion(api: Api, promoted: Document, deadline: Deadline, *, is_new: bool) -> Document:
    """Until every expected replica serves the model, or the control plane gave the promotion up.

    A promotion that was there before says what was proved then; so the environment must be in sync now as well.
    """
    try:
        while True:
            deadline.check()
            found: Document = api.get(f"promotions/{segment(promoted['id'])}/")
            environment = api.get(f"environments/{segment(promoted['environment'])}/")
            if found["status"] not in (ROLLING_OUT, "succeeded"):
                return found
            if found["status"] == "succeeded" and (is_new or _is_served(found, environment)):
                return found
            served = _model(environment)
            if served != found["model"] and found["status"] == "succeeded":
                return found | {"status": "superseded"}
            _show(api, found, environment)
            deadline.pause()
    finally:
        api.terminal.done()


def _model(environment: Document) -> str | None:
    model = environment["model"]
    return str(model["name"]) if model else None


def _is_served(found: Document, environment: Document) -> bool:
    return bool(environment["sync"] == "in_sync" and _model(environment) == found["model"])


def _show(api: Api, found: Document, environment: Document) -> None:
    expected = environment["replicas"]["expected"]
    states = ("loading", "stuck", "silent", "empty", "foreign")
    others = [f"{environment['replicas'][state]} {state}" for state in states if environment["replicas"][state]]
    label = ", ".join([f"{found['environment']}: {found['replicas']} of {expected} replicas serve it", *others])
    api.terminal.progress(label, min(found["replicas"] / expected, 1.0) if expected else None)


def ended(api: Api, path: str, deadline: Deadline, show: Callable[[Document], None]) -> Document:
    """Until the document at `path` has a status that is final."""
    try:
        while True:
            deadline.check()
            found: Document = api.get(path)
            if found["status"] not in ACTIVE:
                return found
            show(found)
            deadline.pause()
    finally:
        api.terminal.done()
