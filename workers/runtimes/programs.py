"""Runs one program of Rasa in its workspace, under the launcher, and follows what it prints until it has ended."""

import json
import logging
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from workers.machine_accounts import Account
from workers.runtimes.by_commands import Ended
from workers.runtimes.lines import Line, Printed
from workers.runtimes.workspaces import Workspace

logger = logging.getLogger(__name__)

LAUNCHER = Path(__file__).with_name("launcher.py")
PIECE = 64 * 1024
LOOK_EVERY = 0.5
# How long the launcher may take to end all that there is, before it is left to itself.
END_WITHIN = 15.0


class Run:
    """One program that runs. `printed` is what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.printed = Printed()

    def lines(self, check: Callable[[], None]) -> Iterator[Line]:
        """Each line as it comes, until the program has ended; `check` is asked meanwhile and may raise."""
        for piece in self._pieces(check):
            yield from self.printed.feed(piece)
        yield from self.printed.rest()

    def _pieces(self, check: Callable[[], None]) -> Iterator[bytes]:
        out = self.process.stdout
        if out is None:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while True:
                check()
                if selector.select(LOOK_EVERY):
                    piece = os.read(out.fileno(), PIECE)
                    if not piece:
                        return
                    yield piece
                elif self.process.poll() is not None:
                    # The launcher was killed, and what outlived it may hold the pipe for ever.
                    return

    def stop(self) -> None:
        """End the program and all that it started. From any thread, and more than once."""
        if self.process.stdin:
            with suppress(OSError):
                self.process.stdin.close()

    def ended(self) -> Ended:
        """Wait until all of it has ended; how it did."""
        if not self.is_over():
            logger.error("the processes of a run did not end within %.0f s; they are left to themselves", END_WITHIN)
            return Ended()
        told = self._told()
        with suppress(ValueError, TypeError):
            return Ended(**json.loads(told))
        if told:
            logger.error("the launcher of a run ended by a fault: %s", told.decode(errors="replace"))
        return Ended()

    def is_over(self) -> bool:
        """Wait, but not for ever, for the launcher; where it was killed itself, kill what is left of its group."""
        try:
            self.process.wait(timeout=END_WITHIN)
        except subprocess.TimeoutExpired:
            return False
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return True

    def _told(self) -> bytes:
        """What the launcher said at its end, in one piece."""
        if self.process.stderr is None:
            return b""
        os.set_blocking(self.process.stderr.fileno(), False)
        try:
            return os.read(self.process.stderr.fileno(), PIECE)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()


@contextmanager
def started(
    command: Sequence[str], space: Workspace, environment: Mapping[str, str], *, memory: int = 0
) -> Iterator[Run]:
    """The program with that environment and no other, in the workspace; nothing of it runs on after the block.

    `memory`: how many bytes all its processes may take together, 0 for any.
    """
    process = subprocess.Popen(  # noqa: S603
        [*_launcher(space.account, memory), "--folder", str(space.work), "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd="/",
        bufsize=0,
        pass_fds=[space.lock],
        # A signal to the group of the worker must not end the launcher before it has ended the rest.
        start_new_session=True,
    )
    run = Run(process)
    try:
        yield run
    finally:
        run.stop()
        run.is_over()
        run.close()


def _launcher(account: Account | None, memory: int) -> list[str]:
    command = [sys.executable, "-IS", str(LAUNCHER), "--memory", str(memory)]
    return command if account is None else [*command, "--uid", str(account.uid), "--gid", str(account.gid)]
