"""Training and testing by Rasa's own commands, wherever they run: what goes in, what is printed, what comes out.

Where they run is for `command` (this machine) and `container` to say.
"""

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, Protocol, TypeVar

from environments.bundles import Project, parse_config
from environments.errors import (
    EvaluationFailed,
    EvaluationUnavailable,
    TrainingFailed,
    TrainingUnavailable,
)
from workers.runtimes import Archive, Tested, reasons, reports
from workers.runtimes.lines import Line, Printed
from workers.runtimes.progress import Progress, parts_of
from workers.watching import Watch

QUIET = {
    "RASA_TELEMETRY_ENABLED": "false",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "NO_COLOR": "1",
    "LC_ALL": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
}
# One document is config, domain and data at once, as a Rasa server takes it.
PROJECT = "project.yml"
MODELS, RESULTS, TESTED = "models", "results", "tested.tar.gz"
SUFFIX = ".tar.gz"
# Right predictions are written too, and nothing is drawn.
TEST = ("--out", RESULTS, "--successes", "--no-plot")
# Of one file that a test wrote. A report names every example it was made from.
MAX_RESULT = 256 * 1024**2
# Seconds: epochs may follow each other faster than anybody reads.
TELL_EVERY = 2.0


class Unavailable(Exception):
    """Rasa could not be run, or not to its end: the machine's fault. The message is a sentence."""


class Failed(Exception):
    """Rasa ended without what it was run for, for the reason it gave."""


class Trained:
    """The archive that a training made. `filename` is Rasa's own name for it."""

    def __init__(self, filename: str, file: BinaryIO) -> None:
        self.filename = filename
        self._file = file

    def read(self, size: int, /) -> bytes:
        return self._file.read(size)


@dataclass(frozen=True)
class Ended:
    """How a run ended: the program's `status` (0: well), or the `signal` that killed it, or the bytes of `memory` it
    took when it was stopped for that, or why it could not be started; all None where it was ended by us."""

    status: int | None = None
    signal: int | None = None
    memory: int | None = None
    refused: str | None = None


class Run(Protocol):
    """One command that runs. `printed` is what it has printed."""

    printed: Printed

    def lines(self, check: Callable[[], None]) -> Iterator[Line]:
        """Each line as it comes, until the command has ended; `check` is asked meanwhile and may raise."""
        ...

    def stop(self) -> None:
        """End it and all that it started. From any thread, and more than once."""
        ...

    def ended(self) -> Ended:
        """Wait until all of it has ended; how it did."""
        ...


class Space(Protocol):
    """The folder that commands work in."""

    def create(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A new file to work on. Only before a command runs."""
        ...

    def listed(self, folder: str) -> list[str]:
        """The names in a folder that a command made; none where it made no such folder."""
        ...

    def open(self, path: str) -> BinaryIO:
        """A plain file that a command made. Raises FileNotFoundError for a link and anything else too."""
        ...


S = TypeVar("S", bound=Space)


class ByCommands(ABC, Generic[S]):
    """A `RasaRuntime`. With `validates`, `rasa data validate` comes before a training, and its findings stand in the
    log. What is for others to say raises `Unavailable` where it cannot be done."""

    validates: bool

    @abstractmethod
    def space(self) -> AbstractContextManager[S]:
        """A fresh one, gone at the end with all that is in it."""

    @abstractmethod
    def started(self, space: S, arguments: Sequence[str], watch: Watch) -> AbstractContextManager[Run]:
        """`rasa` with these arguments; nothing of it runs on after the block."""

    @abstractmethod
    def check(self, ended: Ended, said: bytes) -> None:
        """Raises what was lacking, where it was not for the data that the command did not end well."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[None]:
        """Raises `Unavailable` for errors of the disk."""

    @contextmanager
    def train(self, project: Project, config: str, watch: Watch) -> Iterator[Archive]:
        document = project.document(config)
        progress = Progress(parts_of(parse_config(config) if config else project.config))
        with ExitStack() as stack:
            try:
                yield self._trained(stack.enter_context(self.space()), stack, document, progress, watch)
            except Failed as failed:
                raise TrainingFailed(reasons.with_lines(str(failed), PROJECT, document)) from failed
            except Unavailable as error:
                raise TrainingUnavailable(f"{error} Mend that, then submit the job again.") from error

    def test_nlu(self, model: Tested, nlu: bytes, watch: Watch, *, folds: int | None = None) -> dict[str, Any]:
        with _tests_told(), self.space() as space:
            self._write(space, PROJECT, nlu)
            if folds is None:
                self._put(model, space)
                tested = ["--model", TESTED, "--nlu", PROJECT]
            else:
                tested = ["--cross-validation", "--folds", str(folds), "--config", PROJECT, "--nlu", PROJECT]
            said = self._run(space, ["test", "nlu", *tested, *TEST], watch, Progress(phase="starting Rasa"))
            names = space.listed(RESULTS)
            if not any(name.endswith(reports.ENDING) for name in names):
                raise Failed(reasons.reason(said))
            return reports.of_nlu(names, lambda name: _text(space, name))

    def test_stories(self, model: Tested, stories: bytes, watch: Watch) -> dict[str, Any]:
        with _tests_told(), self.space() as space:
            # Rasa knows stories with what users said by the name of their file.
            self._write(space, f"test_{PROJECT}", stories)
            self._put(model, space)
            tested = ["--model", TESTED, "--stories", f"test_{PROJECT}", "--e2e"]
            said = self._run(space, ["test", "core", *tested, *TEST], watch, Progress(phase="starting Rasa"))
            if f"story{reports.ENDING}" not in space.listed(RESULTS):
                raise Failed(reasons.reason(said))
            return reports.of_stories(lambda name: _text(space, name))

    def _trained(self, space: S, stack: ExitStack, document: bytes, progress: Progress, watch: Watch) -> Archive:
        files = ["--config", PROJECT, "--domain", PROJECT, "--data", PROJECT]
        self._write(space, PROJECT, document)
        if self.validates:
            self._run(space, ["data", "validate", *files], watch, Progress(phase="validating the data"))
        said = self._run(space, ["train", *files, "--out", MODELS, "--skip-validation"], watch, progress)
        names = [name for name in space.listed(MODELS) if name.endswith(SUFFIX)]
        if len(names) != 1:
            raise Failed(reasons.reason(said))
        return Trained(names[0], stack.enter_context(_opened(space, f"{MODELS}/{names[0]}")))

    def _run(self, space: S, arguments: Sequence[str], watch: Watch, progress: Progress) -> bytes:
        """Run `rasa` with these arguments to its good end; the last it printed. Raises why there was none."""
        teller = _Teller(watch, progress)
        teller.tell()
        with self.started(space, arguments, watch) as run, watch.interrupted_by(run.stop):
            for line in run.lines(watch.check):
                teller.feed(line)
            ended = run.ended()
        watch.check()
        if ended.status != 0:
            self.check(ended, run.printed.last_words)
            raise Failed(reasons.reason(run.printed.last_words))
        return run.printed.last_words

    def _write(self, space: S, name: str, content: bytes) -> None:
        with self.writing(), space.create(name) as file:
            file.write(content)

    def _put(self, model: Tested, space: S) -> None:
        with model.open() as stored, self.writing(), space.create(TESTED) as copy:
            shutil.copyfileobj(stored, copy)


class _Teller:
    """Tells the watch what is printed and how far it is: each part at once, what goes on in it now and then."""

    def __init__(self, watch: Watch, progress: Progress) -> None:
        self.watch, self.progress = watch, progress
        self._phase, self._told_at = "", 0.0

    def feed(self, line: Line) -> None:
        if not line.is_state:
            self.watch.log(line.text + "\n")
        self.progress.feed(line.text)
        if self.progress.phase != self._phase or time.monotonic() - self._told_at > TELL_EVERY:
            self.tell()

    def tell(self) -> None:
        self.watch.step(self.progress.step, self.progress.share)
        self._phase, self._told_at = self.progress.phase, time.monotonic()


@contextmanager
def _tests_told() -> Iterator[None]:
    try:
        yield
    except Failed as failed:
        raise EvaluationFailed(str(failed)) from failed
    except reports.Unreadable as error:
        raise EvaluationFailed("Rasa wrote a report that is no JSON.") from error
    except Unavailable as error:
        raise EvaluationUnavailable(f"{error} Mend that, then evaluate again.") from error


def _opened(space: Space, path: str) -> BinaryIO:
    try:
        return space.open(path)
    except FileNotFoundError as error:
        raise Failed("Rasa left something else than a file where its result should be.") from error


def _text(space: Space, name: str) -> str:
    """What a test wrote; "" where it wrote no such file."""
    if name not in space.listed(RESULTS):
        return ""
    with _opened(space, f"{RESULTS}/{name}") as file:
        content = file.read(MAX_RESULT + 1)
    if len(content) > MAX_RESULT:
        raise Failed(f"The result of the test, {name}, is larger than {MAX_RESULT} bytes.")
    return content.decode(errors="replace")


def killed(number: int | None) -> str:
    if number is None:
        return "The processes of Rasa were ended from outside."
    return f"Rasa was killed by the signal {number}. Most often that is for want of memory."
