"""What an evaluation found, made ready to be looked at: rows worst first, bars, a matrix with shades. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from environments.rasa_reports import BINS

Report = Mapping[str, Any]

# Larger than this a matrix is no longer read; the pairs that are confused tell more.
MATRIX_OF = 24
PAIRS = 12
SHADES = 4
# Of the histogram, in the units of its view box: a step is `STEP` wide, its bars at most `HEIGHT` high.
STEP, BAR, HEIGHT = 14, 11, 46
NOTHING = "nothing"


@dataclass(frozen=True)
class Line:
    """One label's score."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def lines(per_label: Mapping[str, Report]) -> list[Line]:
    """Worst F1 first; of equal ones the one with more examples."""
    found = [Line(name, **score) for name, score in per_label.items()]
    return sorted(found, key=lambda line: (line.f1, -line.support, line.name))


@dataclass(frozen=True)
class Confused:
    intent: str
    predicted: str
    count: int


def confused(confusion: Mapping[str, Mapping[str, int]]) -> list[Confused]:
    """What was taken for what, most often first."""
    found = [
        Confused(intent, predicted or NOTHING, count)
        for intent, taken in confusion.items()
        for predicted, count in taken.items()
        if intent != predicted
    ]
    return sorted(found, key=lambda pair: (-pair.count, pair.intent, pair.predicted))[:PAIRS]


@dataclass(frozen=True)
class Cell:
    """`shade` is 0 for none, up to `SHADES` for all of the row."""

    predicted: str
    count: int
    shade: int
    right: bool


@dataclass(frozen=True)
class Matrix:
    """A row for each intent, a column for each thing that was predicted."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


def matrix(confusion: Mapping[str, Mapping[str, int]]) -> Matrix | None:
    """None where it is empty or too large to be read."""
    predicted = {name for taken in confusion.values() for name in taken}
    columns = sorted({*confusion, *predicted}, key=lambda name: (name == "", name))
    if not confusion or len(columns) > MATRIX_OF:
        return None
    rows = [(intent, _cells(intent, confusion[intent], columns)) for intent in sorted(confusion)]
    return Matrix([name or NOTHING for name in columns], rows)


def _cells(intent: str, taken: Mapping[str, int], columns: Sequence[str]) -> list[Cell]:
    total = sum(taken.values())
    return [
        Cell(name or NOTHING, count, -(-SHADES * count // total) if count else 0, name == intent)
        for name in columns
        for count in (taken.get(name, 0),)
    ]


@dataclass(frozen=True)
class Bar:
    """Right ones above the line, wrong ones below it, in the units of the view box; `words` say the same."""

    x: int
    right: float
    top: float
    wrong: float
    words: str


def histogram(confidence: Mapping[str, Sequence[int]] | None) -> list[Bar]:
    if not confidence:
        return []
    most = max(1, *confidence["right"], *confidence["wrong"])
    bars = []
    for step, (right, wrong) in enumerate(zip(confidence["right"], confidence["wrong"], strict=True)):
        up = round(HEIGHT * right / most, 1)
        words = f"{step / BINS:.2f} to {(step + 1) / BINS:.2f}: {right} right, {wrong} wrong"
        bars.append(Bar(step * STEP, up, HEIGHT - up, round(HEIGHT * wrong / most, 1), words))
    return bars


def wrong(predictions: Sequence[Report]) -> list[Report]:
    """Those that were wrong, the surest first: there the data contradicts itself, or the label is not right."""
    found = [one | {"predicted": one["predicted"] or NOTHING} for one in map(dict, predictions) if _is_wrong(one)]
    return sorted(found, key=lambda one: -(one["confidence"] or 0.0))


def _is_wrong(one: Report) -> bool:
    return bool(one["intent"] != one["predicted"])
