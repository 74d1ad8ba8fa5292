"""Precision, recall and F1 from what was expected and what was predicted. Pure arithmetic, as scikit-learn defines it:
what cannot be divided is 0, and averages are weighted by support over the labels that were expected."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

# (expected, predicted) and how often that was.
Outcomes = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Score:
    precision: float
    recall: float
    f1: float
    support: int


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def by_label(outcomes: Outcomes) -> dict[str, Score]:
    """The score of each label that was expected."""
    expected: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for (target, prediction), count in outcomes.items():
        expected[target] += count
        predicted[prediction] += count
        if target == prediction:
            right[target] += count
    return {
        label: Score(
            precision=_ratio(right[label], predicted[label]),
            recall=_ratio(right[label], expected[label]),
            f1=_ratio(2 * right[label], predicted[label] + expected[label]),
            support=expected[label],
        )
        for label in sorted(expected)
    }


def weighted(scores: Mapping[str, Score]) -> Score:
    """The average over all labels, each weighing as much as it has examples."""
    total = sum(score.support for score in scores.values())

    def average(name: str) -> float:
        return _ratio(sum(getattr(score, name) * score.support for score in scores.values()), total)

    return Score(average("precision"), average("recall"), average("f1"), total)


def accuracy(outcomes: Outcomes) -> float:
    right = sum(count for (target, prediction), count in outcomes.items() if target == prediction)
    return _ratio(right, sum(outcomes.values()))


def f1(outcomes: Outcomes) -> float:
    return weighted(by_label(outcomes)).f1
