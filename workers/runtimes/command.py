"""Rasa's commands by an executable of this machine, each time in a folder, a process and an environment of its own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workers.machine_accounts import Account
from workers.runtimes import programs, reasons, workspaces
from workers.runtimes.by_commands import QUIET, ByCommands, Ended, Unavailable, killed
from workers.runtimes.programs import Run
from workers.runtimes.workspaces import Workspace
from workers.watching import Watch

PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


@dataclass(frozen=True)
class CommandRuntime(ByCommands[Workspace]):
    """`root` is where workspaces are made, `account` as whom Rasa runs (None: as who runs already), `memory` how many
    bytes all processes of one run may take together (0: any), `passed_on` the variables it gets besides `QUIET`."""

    command: Path
    root: Path
    account: Account | None = None
    memory: int = 0
    passed_on: Mapping[str, str] = field(default_factory=dict, repr=False)
    validates: bool = False

    @contextmanager
    def space(self) -> Iterator[Workspace]:
        with ExitStack() as stack:
            try:
                with self.writing():
                    space = stack.enter_context(workspaces.opened(self.root, self.account))
            except workspaces.RootUnsafe as unsafe:
                raise Unavailable(str(unsafe)) from unsafe
            yield space

    def started(self, space: Workspace, arguments: Sequence[str], watch: Watch) -> AbstractContextManager[Run]:
        command, environment = [str(self.command), *arguments], {**PATH, **QUIET, **self.passed_on}
        return programs.started(command, space, {**environment, **space.environment()}, memory=self.memory)

    def check(self, ended: Ended, said: bytes) -> None:
        if ended.refused:
            raise Unavailable(f"{self.command} could not be run ({ended.refused}).")
        if ended.memory:
            raise Unavailable(f"Rasa took more than the {self.memory} bytes of memory of TRAINING_MEMORY_BYTES.")
        if ended.status is None:
            raise Unavailable(killed(ended.signal))
        if reasons.is_full_disk(said):
            raise Unavailable(f"There was no space left in {self.root}.")
        if reasons.is_want_of_memory(said):
            raise Unavailable("There was not enough memory for Rasa.")

    @contextmanager
    def writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            told = f"The folder of the run in {self.root} could not be written ({error.strerror})."
            raise Unavailable(told) from error
