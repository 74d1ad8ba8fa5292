"""Rasa's commands in one-off containers: each run has one of its own, with nothing in it but what it works on.

Files go in and out through the engine, so that worker and engine share no folder.
"""

import io
import logging
import queue
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

from environments.clients.docker.errors import DockerError, EngineUnreachable, Gone
from environments.clients.docker.runs import FOLDER, USER, Runs, Wanted
from workers.runtimes import reasons
from workers.runtimes.by_commands import QUIET, ByCommands, Ended, Failed, Unavailable, killed
from workers.runtimes.lines import Line, Printed
from workers.watching import Watch

logger = logging.getLogger(__name__)

# The folder of a run below the container's; those below it belong to Rasa, the files in it to nobody who runs there.
RUN = f"{FOLDER}/run"
PARTS = ("home", "tmp")
VARIABLES = {"HOME": f"{RUN}/home", "TMPDIR": f"{RUN}/{PARTS[1]}"}
LOOK_EVERY = 0.5
PIECES = 64
# An engine that went away under a run may come back, as after an upgrade.
PATIENCE, AGAIN_AFTER = 30.0, 1.0
MAX_MEMBERS = 10_000


@dataclass(frozen=True)
class ContainerRuntime(ByCommands["ContainerSpace"]):
    """`wanted` is what all containers of this job are like; `root` a folder for what goes in and comes out, as long as
    that lasts; `largest` how many bytes a run may leave."""

    runs: Runs
    wanted: Wanted
    root: Path
    largest: int
    passed_on: Mapping[str, str] = field(default_factory=dict, repr=False)
    validates: bool = False

    @contextmanager
    def space(self) -> Iterator["ContainerSpace"]:
        with ExitStack() as stack:
            with self.writing():
                self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield ContainerSpace(self, stack)

    @contextmanager
    def started(self, space: "ContainerSpace", arguments: Sequence[str], watch: Watch) -> Iterator["ContainerRun"]:
        variables = {**QUIET, **self.passed_on, **VARIABLES}
        wanted = replace(self.wanted, arguments=arguments, variables=variables, folder=RUN)
        try:
            identifier, warnings = self.runs.create(wanted)
        except Gone as error:
            raise Unavailable(
                f"There is no image {wanted.image} on the engine. Pull it: docker pull {wanted.image}."
            ) from error
        except DockerError as error:
            raise Unavailable(f"No container could be made for the run. {error}") from error
        run = ContainerRun(self.runs, identifier)
        space.holds(run)
        for warning in warnings:
            watch.log(f"The engine warns: {warning}\n")
        with self.writing():
            packed = space.packed()
        run.start(packed)
        yield run

    def check(self, ended: Ended, said: bytes) -> None:
        if ended.refused:
            raise Unavailable(f"Rasa could not be started in a container of {self.wanted.image} ({ended.refused}).")
        if ended.memory is not None:
            raise Unavailable(_too_much(self.wanted.memory))
        if ended.status is None:
            raise Unavailable(killed(ended.signal))
        if reasons.is_full_disk(said):
            raise Unavailable("There was no space left on the engine's disk.")
        if reasons.is_want_of_memory(said):
            raise Unavailable("There was not enough memory for Rasa.")

    @contextmanager
    def writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(f"The folder {self.root} could not be written ({error.strerror}).") from error


class ContainerSpace:
    """The files of a run, and its last container, whose results are asked for once."""

    def __init__(self, runtime: ContainerRuntime, stack: ExitStack) -> None:
        self.runtime, self._stack = runtime, stack
        self._files: dict[str, BinaryIO] = {}
        self._run: ContainerRun | None = None
        self._results: dict[str, tarfile.TarFile] = {}

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        self._files[name] = self._temporary()
        yield self._files[name]

    def holds(self, run: "ContainerRun") -> None:
        """The container is removed when the space is over, or another takes its place."""
        self._stack.callback(run.remove)
        if self._run:
            self._run.remove()
        self._run = run

    def packed(self) -> BinaryIO:
        """All files as one tar: they are read-only in the container, in a folder that is Rasa's."""
        file = self._temporary()
        with tarfile.open(fileobj=file, mode="w") as tar:
            for folder in ("run", *(f"run/{part}" for part in PARTS)):
                tar.addfile(_member(folder, tarfile.DIRTYPE, 0o700))
            for name, content in self._files.items():
                member = _member(f"run/{name}", tarfile.REGTYPE, 0o444)
                member.size = content.seek(0, io.SEEK_END)
                content.seek(0)
                tar.addfile(member, content)
        file.seek(0)
        return file

    def listed(self, folder: str) -> list[str]:
        return sorted(_names(self._fetched(folder), folder))

    def open(self, path: str) -> BinaryIO:
        folder, _, name = path.partition("/")
        tar = self._fetched(folder)
        member = _names(tar, folder).get(name)
        file = tar.extractfile(member) if member and member.isreg() else None
        if file is None:
            raise FileNotFoundError(path)
        return cast(BinaryIO, file)

    def _fetched(self, folder: str) -> tarfile.TarFile:
        """What a folder of the container holds, none of it where there is no such folder."""
        if folder not in self._results:
            file = self._temporary()
            try:
                self._fetch(folder, file)
                file.seek(0)
                with ExitStack() as opened:
                    self._results[folder] = opened.enter_context(tarfile.open(fileobj=file, mode="r:"))
                    self._stack.push(opened.pop_all())
            except tarfile.TarError as error:
                raise Unavailable("The engine broke off what Rasa had made.") from error
        return self._results[folder]

    def _fetch(self, folder: str, file: BinaryIO) -> None:
        if self._run is None:
            raise Unavailable("Nothing has run yet.")
        try:
            for piece in self._run.runs.fetch(self._run.identifier, f"{RUN}/{folder}"):
                with self.runtime.writing():
                    file.write(piece)
                if file.tell() > self.runtime.largest:
                    raise Failed(f"What Rasa made is larger than {self.runtime.largest} bytes.")
        except Gone:
            _write_nothing(file)
        except DockerError as error:
            raise Unavailable(f"What Rasa made could not be fetched. {error}") from error

    def _temporary(self) -> BinaryIO:
        """Without a name, so that nothing of it can be left behind."""
        with self.runtime.writing():
            return cast(BinaryIO, self._stack.enter_context(tempfile.TemporaryFile(dir=self.runtime.root)))


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    """Folders are Rasa's; files are root's, which Rasa may read."""
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, mode
    if kind == tarfile.DIRTYPE:
        member.uid = member.gid = USER
    return member


def _names(tar: tarfile.TarFile, folder: str) -> dict[str, tarfile.TarInfo]:
    """The members right below the folder, by name; of a hostile one, no more than can be held."""
    found: dict[str, tarfile.TarInfo] = {}
    for count, member in enumerate(tar):
        if count > MAX_MEMBERS:
            raise Failed(f"Rasa left more than {MAX_MEMBERS} files.")
        above, _, name = member.name.partition("/")
        if above == folder and name and "/" not in name:
            found[name] = member
    return found


def _write_nothing(file: BinaryIO) -> None:
    with tarfile.open(fileobj=file, mode="w"):
        pass


def _too_much(memory: int) -> str:
    if memory:
        return f"Rasa took more than the {memory} bytes of memory of TRAINING_MEMORY_BYTES."
    return "The engine's machine ran out of memory, and Rasa was ended for it."


class ContainerRun:
    """One container from its start to its end. What it prints is read by a thread, so that an engine that is silent
    keeps nobody from learning that the run is over."""

    def __init__(self, runs: Runs, identifier: str) -> None:
        self.runs, self.identifier = runs, identifier
        self.printed = Printed()
        self._pieces: queue.Queue[bytes | None] = queue.Queue(PIECES)
        self._refused: str | None = None
        self._error: DockerError | None = None
        self._stopped = threading.Event()

    def start(self, packed: BinaryIO) -> None:
        try:
            self.runs.put(self.identifier, packed)
        except DockerError as error:
            raise Unavailable(f"The files of the run could not be put into its container. {error}") from error
        try:
            self.runs.start(self.identifier)
        except EngineUnreachable as error:
            raise Unavailable(f"The container of the run could not be started. {error}") from error
        except DockerError as error:
            self._refused = str(error)
            return
        threading.Thread(target=self._read, name=f"log of {self.identifier[:12]}", daemon=True).start()

    def lines(self, check: Callable[[], None]) -> Iterator[Line]:
        while self._refused is None:
            check()
            with suppress(queue.Empty):
                piece = self._pieces.get(timeout=LOOK_EVERY)
                if piece is None:
                    break
                yield from self.printed.feed(piece)
        yield from self.printed.rest()

    def stop(self) -> None:
        self._stopped.set()
        self.remove()

    def ended(self) -> Ended:
        if self._refused is not None:
            return Ended(refused=self._refused)
        if self._error is not None:
            raise Unavailable(f"The engine was lost in the middle of the run. {self._error}")
        try:
            outcome = self.runs.outcome(self.identifier)
        except Gone:
            return Ended()
        except DockerError as error:
            raise Unavailable(f"How the run ended could not be asked. {error}") from error
        if outcome.out_of_memory:
            return Ended(memory=0)
        # As shells and engines have it: 128 and the number of the signal.
        return Ended(signal=outcome.status - 128) if outcome.status > 128 else Ended(status=outcome.status)

    def remove(self) -> None:
        """What cannot be removed now is swept later."""
        try:
            self.runs.remove(self.identifier)
        except DockerError as error:
            logger.warning("the container %s of a run was not removed (%s)", self.identifier[:12], error)

    # By the thread that reads

    def _read(self) -> None:
        try:
            self._follow()
        except DockerError as error:
            self._error = error
        finally:
            self._put(None)

    def _follow(self) -> None:
        """Until it has ended. A connection that broke off before, as by a proxy's limit of time, is made anew."""
        since, lost_at = 0.0, None
        while not self._stopped.is_set():
            began = time.time()
            try:
                for piece in self.runs.follow(self.identifier, since):
                    began = time.time()
                    self._put(piece)
                lost_at = None
                if not self.runs.outcome(self.identifier).runs:
                    return
            except Gone:
                return
            except EngineUnreachable:
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > PATIENCE:
                    raise
            since = began
            self._stopped.wait(AGAIN_AFTER)

    def _put(self, piece: bytes | None) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._pieces.put(piece, timeout=LOOK_EVERY)
                return
