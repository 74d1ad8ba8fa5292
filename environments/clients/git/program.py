"""The `git` program, alone with what it is given: no configuration but ours, no prompt, no hook, https and ssh only,
bounded in time and on disk, and gone with all its children when it is over."""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from environments.clients.git import confined
from environments.clients.git.credentials import HELPER
from environments.clients.git.errors import TooLarge, Unavailable

LOOK_EVERY = 0.2
# Seconds that killed processes may take to be gone.
MAX_DYING = 2.0
MAX_OUTPUT = 32 * 1024**2
MAX_STDERR = 64 * 1024

# What a network between here and the server may need.
PASSED_ON = ("PATH", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY")
PROXIES = frozenset(PASSED_ON) - {"PATH", "no_proxy", "NO_PROXY"}

CONFIGURATION = {
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.ssh.allow": "always",
    # A redirect may lead anywhere, also where credentials are handed out.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
    "core.hooksPath": os.devnull,
    "core.bigFileThreshold": "8m",
    "core.fsmonitor": "false",
    "fetch.unpackLimit": "1",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "log.showSignature": "false",
    "log.mailmap": "false",
}
_PROGRESS = re.compile(rb"Receiving objects: +(\d+)%")


@dataclass(frozen=True)
class Limits:
    """`size`: bytes on disk; `seconds`: of all that is asked of git for one fetch."""

    size: int
    seconds: float


@dataclass(frozen=True)
class Output:
    """`status` is git's exit status; `errors` what it said, which may quote the server."""

    status: int
    text: bytes
    errors: str


def environment(home: Path, extra: Mapping[str, str], configuration: Mapping[str, str]) -> dict[str, str]:
    """All variables that git sees."""
    settings = [("credential.helper", HELPER), *{**CONFIGURATION, **configuration}.items()]
    numbered: dict[str, str] = {}
    for number, (key, setting) in enumerate(settings):
        numbered |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": setting}
    passed_on = {name: value for name in PASSED_ON if (value := os.environ.get(name))}
    return {
        **passed_on,
        **extra,
        **numbered,
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": "https:ssh",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "LC_ALL": "C",
    }


class Git:
    """`git` in the bare repository `folder / "repository"`. `check` is asked several times a second and raises to end
    the program; `progress` hears a part between 0 and 1."""

    def __init__(self, folder: Path, variables: dict[str, str], limits: Limits, check: Callable[[], None]) -> None:
        self._folder = folder
        self._variables = variables
        self._limits = limits
        self._check = check
        self._deadline = time.monotonic() + limits.seconds

    def run(self, *arguments: str, progress: Callable[[float], None] = lambda part: None) -> Output:
        """Raises TooLarge, Unavailable where there is no git or no more time, and what `check` raises."""
        process = self._start(arguments)
        try:
            text, errors = self._follow(process, progress)
        finally:
            self._end(process)
        return Output(process.returncode, text, errors.decode(errors="replace"))

    def blobs(self, names: Sequence[str]) -> Iterator[bytes]:
        """The contents of the objects, one after the other. What they are of size is the caller's to know."""
        with tempfile.TemporaryFile(dir=self._folder) as asked:
            asked.writelines(f"{name}\n".encode() for name in names)
            asked.seek(0)
            process = self._start(("cat-file", "--batch"), asked, stderr=subprocess.DEVNULL)
            try:
                for _ in names:
                    self._check()
                    yield _blob(process.stdout)
            finally:
                self._end(process)

    def _start(
        self, arguments: tuple[str, ...], asked: IO[bytes] | None = None, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        command = ["git", "--git-dir", str(self._folder / "repository"), *arguments]
        life, self._life = os.pipe()
        limited = [sys.executable, "-IS", confined.__file__, str(self._limits.size), str(life), *command]
        try:
            return subprocess.Popen(  # noqa: S603
                limited,
                cwd=self._folder,
                env=self._variables,
                stdin=asked or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                pass_fds=(life,),
                start_new_session=True,
            )
        finally:
            os.close(life)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """End what still runs of its group: whoever git started as well. Its number is its own until it is waited
        for."""
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _wait_for_group(process.pid)
        os.close(self._life)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()

    def _follow(self, process: subprocess.Popen[bytes], progress: Callable[[float], None]) -> tuple[bytes, bytes]:
        """What it says until both its streams end, looking at the limits meanwhile."""
        text, errors = bytearray(), bytearray()
        looked_at = 0.0
        with selectors.DefaultSelector() as streams:
            for stream, into in ((process.stdout, text), (process.stderr, errors)):
                streams.register(stream, selectors.EVENT_READ, into)  # type: ignore[arg-type]
            while streams.get_map():
                for key, _ in streams.select(LOOK_EVERY):
                    piece = os.read(key.fd, 65_536)
                    if not piece:
                        streams.unregister(key.fileobj)
                    key.data.extend(piece)
                if time.monotonic() - looked_at >= LOOK_EVERY:
                    looked_at = time.monotonic()
                    self._look(text)
                    _tell(errors, progress)
        _tell(errors, progress)
        process.wait(timeout=max(0.1, self._deadline - time.monotonic()))
        return bytes(text), bytes(errors)

    def _look(self, text: bytearray) -> None:
        self._check()
        if time.monotonic() > self._deadline:
            raise Unavailable(
                f"The repository was not fetched within {self._limits.seconds:.0f} seconds. See whether its server "
                "answers, or raise GIT_TIMEOUT."
            )
        if len(text) > MAX_OUTPUT or _size(self._folder) > self._limits.size:
            raise too_large(self._limits)


def _tell(errors: bytearray, progress: Callable[[float], None]) -> None:
    """How far git says that it is, newest last."""
    shown = _PROGRESS.findall(errors)
    if shown:
        progress(int(shown[-1]) / 100)
    del errors[:-MAX_STDERR]


def _blob(answers: IO[bytes] | None) -> bytes:
    """One answer of `git cat-file --batch`: a line of name, kind and size, the bytes, a line feed."""
    if answers is None:
        return b""
    head = answers.readline().split()
    size = int(head[2]) if len(head) == 3 else 0
    content = answers.read(size + 1)
    if len(content) != size + 1:
        raise Unavailable("git broke off while the files were read. Fetch again.")
    return content[:-1]


def _wait_for_group(group: int) -> None:
    """Until the last of them is gone, or is left to whoever collects the dead here: their folder is removed next."""
    deadline = time.monotonic() + MAX_DYING
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.01)


def too_large(limits: Limits) -> TooLarge:
    return TooLarge(
        f"The repository is larger than {limits.size} bytes at that commit. Keep large files out of it, or raise "
        "GIT_MAX_BYTES."
    )


def _size(folder: Path) -> int:
    """Bytes below the folder; files that go away meanwhile count nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total
