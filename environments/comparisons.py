"""Two models on the same examples: what differs, and whether the difference is more than chance. Pure.

A prediction is `{"text", "intent", "predicted", …}`, as an evaluation stores it.
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from environments import scores

Prediction = Mapping[str, Any]

# Up to so many differing utterances the test is exact; beyond it its limit is as good to many places.
EXACT_UP_TO = 1000
# Of the bootstrap: as many draws as this allows, at least and at most so many. A fixed seed: the same answer each time.
DRAWN_IN_ALL = 2_000_000
FEWEST, MOST = 200, 2000
SEED = 20260301


@dataclass(frozen=True)
class Pair:
    """One utterance, what it should be, and what the two models took it for."""

    text: str
    intent: str
    a: str
    b: str

    @property
    def broken(self) -> bool:
        return self.a == self.intent != self.b

    @property
    def fixed(self) -> bool:
        return self.a != self.intent == self.b


@dataclass(frozen=True)
class IntentChange:
    """F1 of one intent in both."""

    intent: str
    a: float
    b: float
    support: int

    @property
    def delta(self) -> float:
        return self.b - self.a


@dataclass(frozen=True)
class Comparison:
    """`p_value`: how likely so uneven a split of the utterances that changed would be if the models were equally good.
    `per_intent` is worst change first."""

    f1_a: float
    f1_b: float
    p_value: float
    per_intent: list[IntentChange]
    changed: list[Pair]

    @property
    def broken(self) -> list[Pair]:
        """Right in `a`, wrong in `b`."""
        return [pair for pair in self.changed if pair.broken]

    @property
    def fixed(self) -> list[Pair]:
        return [pair for pair in self.changed if pair.fixed]


def pairs(a: Iterable[Prediction], b: Iterable[Prediction]) -> list[Pair]:
    """The predictions of both by utterance. Raises ValueError where they are not of the same examples."""
    waiting: dict[tuple[str, str], list[str]] = defaultdict(list)
    for prediction in b:
        waiting[prediction["text"], prediction["intent"]].append(prediction["predicted"] or "")
    found = []
    for prediction in a:
        text, intent = prediction["text"], prediction["intent"]
        if not waiting[text, intent]:
            raise ValueError(f"{text!r} is in one test only")
        found.append(Pair(text, intent, prediction["predicted"] or "", waiting[text, intent].pop(0)))
    if any(waiting.values()):
        raise ValueError("one test has more utterances than the other")
    return found


def compare(a: Iterable[Prediction], b: Iterable[Prediction]) -> Comparison:
    """Raises ValueError where the predictions are not of the same examples."""
    both = pairs(a, b)
    before = scores.by_label(Counter((pair.intent, pair.a) for pair in both))
    after = scores.by_label(Counter((pair.intent, pair.b) for pair in both))
    changes = [IntentChange(name, before[name].f1, after[name].f1, before[name].support) for name in before]
    return Comparison(
        f1_a=scores.weighted(before).f1,
        f1_b=scores.weighted(after).f1,
        p_value=mcnemar(sum(pair.broken for pair in both), sum(pair.fixed for pair in both)),
        per_intent=sorted(changes, key=lambda change: (change.delta, change.intent)),
        changed=[pair for pair in both if pair.a != pair.b],
    )


def mcnemar(broken: int, fixed: int) -> float:
    """The two-sided p-value of McNemar's test: exact (binomial) for few, by its limit with Edwards' continuity
    correction for many."""
    changed, fewer = broken + fixed, min(broken, fixed)
    if changed == 0:
        return 1.0
    if changed <= EXACT_UP_TO:
        tail = sum(math.comb(changed, count) for count in range(fewer + 1))
        return min(1.0, float(2 * tail / 2**changed))
    statistic = max(0, abs(broken - fixed) - 1) ** 2 / changed
    return math.erfc(math.sqrt(statistic / 2))


def margin_p_value(both: Sequence[Pair], margin: float) -> float:
    """How likely it is that F1 did not rise by more than `margin`: a paired bootstrap, the share of samples drawn from
    these utterances in which it did not. 1.0 without utterances."""
    if not both:
        return 1.0
    kinds = Counter((pair.intent, pair.a, pair.b) for pair in both)
    known, weights = list(kinds), list(kinds.values())
    chance = random.Random(SEED)  # noqa: S311 (a sample, no secret)
    samples = max(FEWEST, min(MOST, DRAWN_IN_ALL // len(both)))
    short = 0
    for _ in range(samples):
        drawn = Counter(chance.choices(known, weights=weights, k=len(both)))
        short += _gain(drawn) <= margin
    # The sample at hand counts as one: no p-value of a bootstrap is 0.
    return (short + 1) / (samples + 1)


def _gain(drawn: Mapping[tuple[str, str, str], int]) -> float:
    before: Counter[tuple[str, str]] = Counter()
    after: Counter[tuple[str, str]] = Counter()
    for (intent, a, b), count in drawn.items():
        before[intent, a] += count
        after[intent, b] += count
    return scores.f1(after) - scores.f1(before)
