"""Runs several programs as one: starts them, names their lines in one log, restarts what ends, stops all in time.

Knows no Django and nothing of what it runs.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from accounts.scrubbing import scrub

LAUNCHER = Path(__file__).with_name("child.py")
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
# A program that ran this long before it ended is restarted as if for the first time.
STEADY = 60.0
GRACE = 7.0
COLORS = (36, 32, 33, 35, 34, 96, 92, 93)
OWN_COLOR = 90
OWN_NAME = "up"


@dataclass(frozen=True)
class Program:
    """What is run. One that is `once` is not restarted: its exit status ends the supervisor or, with
    `stays`, is only told, with the lines of `afterwards`.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path | None = None
    once: bool = False
    stays: bool = False
    afterwards: Sequence[str] = ()


class Output(Protocol):
    """A text stream, or Django's wrapper of one."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


class Log:
    """One readable log: each line after the name of who said it, coloured on a terminal; without secrets, whoever said
    them, save what the supervisor itself has to say."""

    def __init__(self, out: Output, names: Sequence[str]) -> None:
        self.out = out
        self.width = max(map(len, (*names, OWN_NAME)))
        colored = out.isatty() and "NO_COLOR" not in os.environ
        self.colors = {name: COLORS[index % len(COLORS)] for index, name in enumerate(names)} if colored else {}
        if colored:
            self.colors[OWN_NAME] = OWN_COLOR
        self._lock = threading.Lock()

    def write(self, name: str, line: str) -> None:
        prefix = f"{name:<{self.width}} |"
        if color := self.colors.get(name):
            prefix = f"\x1b[{color}m{prefix}\x1b[0m"
        with self._lock, suppress(BrokenPipeError):
            self.out.write(f"{prefix} {line}\n")
            self.out.flush()

    def say(self, line: str) -> None:
        self.write(OWN_NAME, line)


class Child:
    """One program and the process it runs as now, if any."""

    def __init__(self, program: Program, log: Log) -> None:
        self.program = program
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.reader: threading.Thread | None = None
        self.started_at = 0.0
        self.pause = FIRST_PAUSE
        self.due = 0.0
        self.status: int | None = None

    def start(self) -> None:
        program = self.program
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-IS", str(LAUNCHER), *program.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **program.environment},
            cwd=program.folder,
            # A terminal's Ctrl-C reaches the supervisor alone, which then stops all in order.
            start_new_session=True,
        )
        self.started_at = time.monotonic()
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                # Of a progress bar, which writes over itself, the last state is enough.
                text = line.decode(errors="replace").rstrip().rpartition("\r")[2]
                if text:
                    self.log.write(self.program.name, scrub(text))

    def tend(self) -> None:
        """Notice that it ended; start it when it is due."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.due and not (self.program.once and self.status is not None):
                self.start()
            return
        status = self.process.poll()
        if status is None:
            return
        self.kill()
        self.process = None
        self.status = status
        if self.program.once:
            if self.status and self.program.stays:
                self.log.say(f"{self.program.name} ended with status {status}; everything else runs on.")
            for line in self.program.afterwards:
                self.log.say(line)
            return
        if now - self.started_at >= STEADY:
            self.pause = FIRST_PAUSE
        self.due = now + self.pause
        self.log.say(f"{self.program.name} ended with status {status}; starting it again in {self.pause:.0f} s.")
        self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill all of its process group: what the program left behind ends with it."""
        if self.process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.reader is not None:
            self.reader.join(timeout=1)
        if self.process.stdin is not None:
            self.process.stdin.close()


class Supervisor:
    def __init__(self, programs: Sequence[Program], out: Output) -> None:
        self.log = Log(out, [program.name for program in programs])
        self.children = [Child(program, self.log) for program in programs]
        self._stop = threading.Event()

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        self._stop.set()

    def run(self, started: Callable[[], None] = lambda: None) -> int:
        """Run until a signal, or until a program that is `once` has ended; its status, else 0."""
        before = {number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            self._tend()
            started()
            while not self._stop.wait(0.1):
                self._tend()
        finally:
            self._stop_all()
            for number, handler in before.items():
                signal.signal(number, handler)
        return self._status()

    def _tend(self) -> None:
        for child in self.children:
            child.tend()
            if child.program.once and not child.program.stays and child.status is not None:
                self.stop()

    def _status(self) -> int:
        statuses = [child.status for child in self.children if child.program.once]
        return next((status for status in statuses if status), 0)

    def _stop_all(self) -> None:
        self.log.say("Stopping.")
        for child in self.children:
            child.ask_to_stop()
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and any(child.alive() for child in self.children):
            time.sleep(0.05)
        late = [child.program.name for child in self.children if child.alive()]
        for child in self.children:
            child.kill()
        self.log.say(f"Stopped; {', '.join(late)} had to be killed." if late else "Stopped.")
