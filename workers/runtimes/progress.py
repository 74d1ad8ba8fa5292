"""How far Rasa is, read from what it prints (measured with 3.6.21). Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_STARTING = re.compile(r"Starting to train component '(\w+)'")
_FINISHED = re.compile(r"Finished training component '(\w+)'")
_EPOCHS = re.compile(r"Epochs: .*?\| (\d+)/(\d+) \[")
_BAR = re.compile(r"\s*\d+%\|.*?\| (\d+)/(\d+) \[")
_DONE = re.compile(r"Your Rasa model is trained")

# Those that train for epochs, and for how many where the config does not say.
EPOCHS = {"DIETClassifier": 300, "ResponseSelector": 300, "TEDPolicy": 1, "UnexpecTEDIntentPolicy": 1}
# So many epochs take about as long as a component without any.
EPOCHS_PER_STEP = 10
# The archive is still to be packed and taken in.
TRAINED = 0.95


@dataclass(frozen=True)
class Part:
    """One component of the pipeline, or one policy (`of`). `weight`: how long it takes beside the others."""

    name: str
    weight: float
    of: str


def parts_of(config: dict[str, Any]) -> list[Part]:
    """Those of the pipeline train in this order, and so do policies; which of the two come first is up to Rasa. Those
    that do not train are among them, and are passed over."""
    items = [(key, item) for key in ("pipeline", "policies") for item in _items(config.get(key))]
    return [Part(name, 1 + _epochs(name, item) / EPOCHS_PER_STEP, key) for key, item in items if (name := _name(item))]


def _items(value: Any) -> list[dict[str, Any]]:
    listed = value if isinstance(value, list) else []
    return [{"name": item} if isinstance(item, str) else item for item in listed if isinstance(item, dict | str)]


def _name(item: dict[str, Any]) -> str:
    """The class, as Rasa's log has it: of a path to a module, the last part."""
    return str(item.get("name") or "").rpartition(".")[2]


def _epochs(name: str, item: dict[str, Any]) -> int:
    epochs = item.get("epochs", EPOCHS.get(name, 0))
    return epochs if isinstance(epochs, int) and epochs > 0 else 0


class Progress:
    """Fed with each line, it knows the phase, the step in it, and the share that is done (0 to 1), which never goes
    back. Without `parts`, as for a test, the share is that of the bar that Rasa shows."""

    def __init__(self, parts: Sequence[Part] = (), phase: str = "starting Rasa") -> None:
        self.phase = self.step = phase
        self.share: float | None = None
        self._parts = parts
        self._whole = sum(part.weight for part in parts) or 1.0
        self._passed: set[int] = set()
        self._at: int | None = None

    def feed(self, line: str) -> None:
        if found := _STARTING.search(line):
            self._start(found[1])
        elif _FINISHED.search(line):
            self._advance(1.0)
        elif found := _EPOCHS.match(line):
            self._go_on(int(found[1]), int(found[2]))
        elif _DONE.search(line):
            self.phase = self.step = "packing the model"
            self._reach(TRAINED)
        elif not self._parts and (found := _BAR.match(line)):
            self._test(int(found[1]), int(found[2]))

    def _start(self, name: str) -> None:
        left = [index for index in range(len(self._parts)) if index not in self._passed]
        self._at = next((index for index in left if self._parts[index].name == name), None)
        if self._at is not None:
            of = self._parts[self._at].of
            self._passed |= {index for index in left if index < self._at and self._parts[index].of == of}
        self.phase = self.step = f"training {name}"
        self._advance(0.0)

    def _go_on(self, done: int, of: int) -> None:
        self.step = f"{self.phase}, epoch {min(done + 1, of)} of {of}"
        self._advance(min(done / of, 0.999) if of else 0.0)

    def _advance(self, share_of_part: float) -> None:
        if self._at is None:
            return
        done = sum(self._parts[index].weight for index in self._passed)
        self._reach(TRAINED * (done + self._parts[self._at].weight * share_of_part) / self._whole)
        if share_of_part == 1.0:
            self._passed.add(self._at)
            self._at = None

    def _test(self, done: int, of: int) -> None:
        self.phase, self.step = "testing", f"testing, {done} of {of}"
        self._reach(TRAINED * done / of if of else 0.0)

    def _reach(self, share: float) -> None:
        self.share = max(self.share or 0.0, round(min(share, 1.0), 3))
