"""Two models on the same examples: the figures against published ones, and that nothing depends on chance."""

import time
from collections import Counter

import pytest

from environments import comparisons, scores


def prediction(text, intent, predicted):
    return {"text": text, "intent": intent, "predicted": predicted, "confidence": 0.9}


A = [
    prediction("hi", "greet", "greet"),
    prediction("hello", "greet", "bye"),
    prediction("ciao", "bye", "bye"),
    prediction("see you", "bye", "bye"),
]
B = [
    prediction("ciao", "bye", "greet"),
    prediction("see you", "bye", "bye"),
    prediction("hi", "greet", "greet"),
    prediction("hello", "greet", "greet"),
]


# From exact binomial tables; R: binom.test(min(b, c), b + c)$p.value.
@pytest.mark.parametrize(
    ("broken", "fixed", "p_value"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (0, 5, 0.0625),
        (0, 6, 0.03125),
        (1, 9, 0.021484375),
        (5, 15, 0.04138946533203125),
        (10, 10, 1.0),
        (2, 8, 0.109375),
    ],
)
def test_few_changes_are_judged_exactly(broken, fixed, p_value):
    assert comparisons.mcnemar(broken, fixed) == pytest.approx(p_value, abs=1e-12)
    assert comparisons.mcnemar(fixed, broken) == comparisons.mcnemar(broken, fixed)


# The chi-square distribution with one degree of freedom: 3.841459 is its 95 % point, 6.634897 its 99 % point.
def test_many_changes_are_judged_by_the_limit():
    assert comparisons.mcnemar(5000, 5000) == 1.0
    exact = comparisons.mcnemar(460, 540)
    limit = comparisons.mcnemar(4600, 5400)
    assert exact == pytest.approx(0.0125, abs=0.0005)
    assert limit < 1e-10
    at_five_percent = comparisons.mcnemar(*_split(100_000, 3.841459))
    assert at_five_percent == pytest.approx(0.05, abs=0.0005)
    assert comparisons.mcnemar(*_split(100_000, 6.634897)) == pytest.approx(0.01, abs=0.0002)


def _split(changed, statistic):
    """The two counts whose corrected statistic is as near to the wanted one as whole numbers come."""
    difference = (statistic * changed) ** 0.5 + 1
    return round((changed - difference) / 2), round((changed + difference) / 2)


def test_the_exact_test_and_its_limit_agree_where_they_meet(monkeypatch):
    exact = comparisons.mcnemar(450, 550)
    monkeypatch.setattr(comparisons, "EXACT_UP_TO", 0)
    assert comparisons.mcnemar(450, 550) == pytest.approx(exact, abs=1e-4)


def test_what_broke_and_what_was_fixed():
    found = comparisons.compare(A, B)
    assert [pair.text for pair in found.broken] == ["ciao"]
    assert [pair.text for pair in found.fixed] == ["hello"]
    assert found.p_value == 1.0


def test_intents_are_told_worst_first():
    found = comparisons.compare(A, B)
    assert [(change.intent, change.support) for change in found.per_intent] == [("bye", 2), ("greet", 2)]
    bye, greet = found.per_intent
    assert (bye.a, bye.b) == (pytest.approx(0.8), pytest.approx(2 / 3))
    assert bye.delta == pytest.approx(2 / 3 - 0.8)
    assert greet.delta == pytest.approx(0.8 - 2 / 3)
    assert found.f1_a == pytest.approx(found.f1_b) == pytest.approx((0.8 + 2 / 3) / 2)


def test_one_utterance_of_two_intents_is_two_examples():
    both = [prediction("bye", "greet", "bye"), prediction("bye", "bye", "bye")]
    found = comparisons.compare(both, list(reversed(both)))
    assert found.changed == []


@pytest.mark.parametrize(
    "other",
    [A[:3], [*A, prediction("more", "bye", "bye")], [*A[:3], prediction("see you", "greet", "greet")], []],
)
def test_other_examples_cannot_be_compared(other):
    with pytest.raises(ValueError, match="test"):
        comparisons.compare(A, other)


def test_nothing_predicted_is_a_wrong_prediction():
    found = comparisons.compare([prediction("hi", "greet", None)], [prediction("hi", "greet", "greet")])
    assert [pair.text for pair in found.fixed] == ["hi"]


def _pairs(right_in_both, broken, fixed, wrong_in_both=0):
    kinds = [("greet", "greet")] * right_in_both + [("greet", "bye")] * broken
    kinds += [("bye", "greet")] * fixed + [("bye", "bye")] * wrong_in_both
    return [comparisons.Pair(str(number), "greet", a, b) for number, (a, b) in enumerate(kinds)]


def test_a_clear_gain_is_told_from_noise():
    assert comparisons.margin_p_value(_pairs(60, 1, 39), 0.0) < 0.01
    assert comparisons.margin_p_value(_pairs(60, 20, 20), 0.0) > 0.3
    assert comparisons.margin_p_value(_pairs(60, 39, 1), 0.0) > 0.99


def test_a_margin_must_be_passed_not_only_touched():
    gain = _pairs(80, 0, 20)
    assert comparisons.margin_p_value(gain, 0.0) < 0.01
    assert comparisons.margin_p_value(gain, 0.5) > 0.99
    assert comparisons.margin_p_value(_pairs(100, 0, 0), 0.0) == 1.0
    assert comparisons.margin_p_value([], 0.0) == 1.0


def test_the_same_examples_give_the_same_p_value_each_time():
    both = _pairs(60, 10, 15)
    assert comparisons.margin_p_value(both, 0.0) == comparisons.margin_p_value(both, 0.0)


def test_many_examples_are_judged_in_little_time():
    begun = time.process_time()
    comparisons.margin_p_value(_pairs(15_000, 2000, 2500, 500), 0.01)
    assert time.process_time() - begun < 5


# scikit-learn's classification_report of these, as Rasa 3.6.21 gave it.
REPORT = {
    "greet": (1.0, 2 / 3, 0.8, 3),
    "book": (1.0, 0.5, 2 / 3, 2),
    "bye": (1.0, 1.0, 1.0, 2),
}
OUTCOMES = Counter({("greet", "greet"): 2, ("greet", ""): 1, ("bye", "bye"): 2, ("book", "book"): 1, ("book", ""): 1})


def test_scores_are_those_of_scikit_learn():
    found = scores.by_label(OUTCOMES)
    assert {name: (s.precision, s.recall, s.f1, s.support) for name, s in found.items()} == REPORT
    average = scores.weighted(found)
    assert (average.precision, average.recall) == (1.0, pytest.approx(0.7142857142857143))
    assert average.f1 == pytest.approx(0.819047619047619)
    assert scores.accuracy(OUTCOMES) == pytest.approx(0.7142857142857143)


def test_nothing_to_divide_is_nought():
    assert scores.weighted({}).f1 == 0.0
    assert scores.accuracy({}) == 0.0
    assert scores.by_label({("greet", "bye"): 1})["greet"] == scores.Score(0.0, 0.0, 0.0, 1)
