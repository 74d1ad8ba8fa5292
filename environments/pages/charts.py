"""Charts as SVG, drawn on the server: where each mark stands, in the units of the view box. Pure.

Colours come from classes, so that one drawing is right in both themes and under a policy that allows no style inside;
the words of each mark, and the table behind each chart, say the same to those who do not see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# Of the view box: the marks stand between `TOP` and `FLOOR`, the words of the axis below.
TOP, FLOOR, HEIGHT = 18, 104, 124
NARROW, WIDE = 300, 460
WIDEST_BAR = 26


@dataclass(frozen=True)
class Point:
    """`label` says which, `words` how much; `css` is a class of an environment or a tone, `url` what it is of."""

    label: str
    value: float
    words: str
    css: str = ""
    url: str = ""


@dataclass(frozen=True)
class Mark:
    point: Point
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True)
class Chart:
    """`name` and `measure` head the columns of its table. `low` and `high` are the ends of the axis, in words; `lines`
    join the marks of a line, two by two."""

    title: str
    name: str
    measure: str
    marks: Sequence[Mark]
    high: str
    low: str = ""
    lines: Sequence[tuple[Mark, Mark]] = ()
    width: int = NARROW
    height: int = HEIGHT

    def __bool__(self) -> bool:
        return bool(self.marks)

    @property
    def said(self) -> str:
        """What is seen at a glance, for who only hears it."""
        if not self.marks:
            return self.title
        first, last = self.marks[0].point, self.marks[-1].point
        return f"{self.title}, from {first.label}: {first.words} to {last.label}: {last.words}"


def bars(title: str, name: str, measure: str, points: Sequence[Point], *, width: int = NARROW) -> Chart:
    """A bar for each point, from nothing up to the largest."""
    most = max((point.value for point in points), default=0.0)
    highest = next((point.words for point in points if point.value == most), "")
    marks = [_mark(number, point, len(points), _height(point.value, 0.0, most), width) for number, point in _of(points)]
    return Chart(title, name, measure, marks, high=highest, width=width)


def line(title: str, name: str, measure: str, points: Sequence[Point], *, width: int = WIDE) -> Chart:
    """The points joined, between the least and the largest."""
    values = [point.value for point in points]
    least, most = min(values, default=0.0), max(values, default=0.0)
    words = {point.value: point.words for point in points}
    marks = [
        _mark(number, point, len(points), _height(point.value, least, most), width) for number, point in _of(points)
    ]
    low = words[least] if least < most else ""
    return Chart(title, name, measure, marks, words.get(most, ""), low, list(pairwise(marks)), width)


def _of(points: Sequence[Point]) -> list[tuple[int, Point]]:
    return list(enumerate(points))


def _height(value: float, least: float, most: float) -> float:
    """At least a line, so that nothing that happened is invisible."""
    room = FLOOR - TOP
    return max(2.0, round(room * (value - least) / (most - least), 1)) if most > least else room / 2


def _mark(number: int, point: Point, count: int, height: float, width: int) -> Mark:
    step = width / count
    thick = min(step * 0.7, WIDEST_BAR)
    x = number * step + (step - thick) / 2
    return Mark(point, x=round(x, 1), y=round(FLOOR - height, 1), width=round(thick, 1), height=round(height, 1))
