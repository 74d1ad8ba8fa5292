"""What is wrong with a project and what is odd: collected over all of its files, told together."""

from collections.abc import Iterator
from contextlib import contextmanager

from environments.bundles.loading import Path, Source
from environments.errors import BundleInvalid

# Told of one project; the first ones often explain the rest.
MAX_TOLD = 20
MAX_WARNINGS = 100
MAX_SENTENCE = 500


class Findings:
    """`refuse` is for what no Rasa server could train, `warn` for what it skips or what is hardly meant so.

    Each finding is `path:line: what. cure.`, of what the keys lead to in the file.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._warnings: list[str] = []
        self._more_errors = self._more_warnings = 0

    def refuse(self, source: Source, keys: Path, sentence: str) -> None:
        if len(self.errors) < MAX_TOLD:
            self.errors.append(f"{source.at(*keys)}: {sentence}"[:MAX_SENTENCE])
        else:
            self._more_errors += 1

    def warn(self, source: Source, keys: Path, sentence: str) -> None:
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(f"{source.at(*keys)}: {sentence}"[:MAX_SENTENCE])
        else:
            self._more_warnings += 1

    def note(self, sentence: str) -> None:
        """A warning that says itself where."""
        self._warnings.append(sentence[:MAX_SENTENCE])

    @contextmanager
    def collected(self) -> Iterator[None]:
        """A refusal of one file in the block is a finding like others."""
        try:
            yield
        except BundleInvalid as refusal:
            self.errors.append(refusal.detail)

    @property
    def warnings(self) -> tuple[str, ...]:
        more = self._more_warnings
        return (*self._warnings, *([f"There are {more} more warnings."] if more else []))

    def check(self) -> None:
        """Raise BundleInvalid if anything was refused: its detail has a line for each."""
        if self.errors:
            told = [*self.errors, *([f"And {self._more_errors} more."] if self._more_errors else [])]
            raise BundleInvalid("\n".join(told), problems=told)
