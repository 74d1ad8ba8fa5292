"""Is a model good enough: each gate's verdict, its sentence and its numbers."""

from dataclasses import replace

import pytest

from environments import gates
from environments.gate_spec import Better, Entity, Gates, IntentLoss, MustPass
from environments.gates import Answer, Judged, Unjudged
from environments.states import PairedTest

HASH = "a" * 64
SURE, PAIRED = Better(), Better(test=PairedTest.BOOTSTRAP)


def model(name, right, *, wrong=(), of=100, test_hash=HASH):
    """A model that takes the first `right` of so many utterances of greet and bye for what they are."""
    predictions = [
        {
            "text": f"utterance {number}",
            "intent": "greet" if number % 2 else "bye",
            "predicted": ("greet" if number % 2 else "bye") if number < right and number not in wrong else "other",
        }
        for number in range(of)
    ]
    return Judged(name, right / of, test_hash, predictions)


def verdict(declared, candidate, serving=None, answers=None, **options):
    (found,) = gates.judge(declared, candidate, serving, answers or {}, **options)
    return found


def test_only_what_is_declared_is_judged_in_the_order_of_the_file():
    assert gates.judge(Gates(), model("new", 80), None, {}) == []
    every = Gates(0.5, SURE, IntentLoss(), (MustPass("hi", "greet"),))
    names = [found.name for found in gates.judge(every, model("new", 80), model("old", 80), {})]
    assert names == ["minimum_f1", "better_than_serving", "intent_loss", "must_pass"]


def test_a_minimum():
    found = verdict(Gates(minimum_f1=0.8), model("new", 80))
    assert found.passed
    assert found.document() == {
        "name": "minimum_f1",
        "passed": True,
        "detail": "F1 is 0.800; at least 0.8 is asked.",
        "f1": 0.8,
        "least": 0.8,
    }
    assert not verdict(Gates(minimum_f1=0.81), model("new", 80)).passed
    assert not verdict(Gates(minimum_f1=0.0), Judged("new", None, "", [])).passed


def test_a_clear_gain_is_better_and_says_by_how_much():
    found = verdict(Gates(better_than_serving=SURE), model("new", 90), model("old", 70))
    assert found.passed
    assert "Against old F1 rose from 0.8" in found.detail
    assert "Of 100 utterances 20 became right and 0 wrong: p = 1.9e-06 by McNemar's test, at most 0.05." in found.detail
    assert (found.figures["fixed"], found.figures["broken"], found.figures["utterances"]) == (20, 0, 100)


@pytest.mark.parametrize("gate", [SURE, PAIRED])
def test_a_gain_that_may_be_chance_is_not_promoted_and_shows_its_p_value(gate):
    found = verdict(Gates(better_than_serving=gate), model("new", 82), model("old", 80, wrong=()))
    assert not found.passed
    assert found.figures["gain"] > 0
    assert found.figures["p_value"] > 0.05
    assert found.detail.endswith("more than 0.05, so this may be chance.")


@pytest.mark.parametrize("gate", [SURE, PAIRED])
def test_a_worse_one_and_an_equal_one_are_not_better(gate):
    worse = verdict(Gates(better_than_serving=gate), model("new", 60), model("old", 90))
    assert not worse.passed
    assert "fell from" in worse.detail
    equal = verdict(Gates(better_than_serving=gate), model("new", 90), model("old", 90))
    assert not equal.passed
    assert "F1 stayed at 0.947 (+0.000; more is asked)" in equal.detail


def test_a_margin_must_be_reached():
    old, new = model("old", 70), model("new", 80)
    assert verdict(Gates(better_than_serving=Better(margin=0.01)), new, old).passed
    short = verdict(Gates(better_than_serving=Better(margin=0.5)), new, old)
    assert not short.passed
    assert "at least +0.500 is asked" in short.detail


def test_the_bootstrap_holds_the_gain_to_the_margin():
    old, new = model("old", 70), model("new", 80)
    assert verdict(Gates(better_than_serving=PAIRED), new, old).passed
    close = Better(margin=0.05, test=PairedTest.BOOTSTRAP)
    assert not verdict(Gates(better_than_serving=close), new, old).passed


def test_several_models_share_the_chance_of_being_better_by_chance():
    old, new = model("old", 70), model("new", 76)  # p = 0.031
    assert verdict(Gates(better_than_serving=SURE), new, old).passed
    found = verdict(Gates(better_than_serving=SURE), new, old, candidates=2)
    assert not found.passed
    assert "more than 0.025 (0.05 shared by 2 models)" in found.detail


def test_what_was_learnt_by_heart_is_told():
    old, new = replace(model("old", 70), seen=10), replace(model("new", 90), seen=100)
    found = verdict(Gates(better_than_serving=SURE), new, old)
    assert found.detail.endswith(
        "But it was trained on 100 of these utterances, old on 10: test data of its own in the bundle would tell more."
    )
    assert "trained" not in verdict(Gates(better_than_serving=SURE), replace(new, seen=None), old).detail
    assert "trained" not in verdict(Gates(better_than_serving=SURE), replace(new, seen=10), old).detail


def test_where_nothing_serves_anything_is_better_for_that_reason():
    every = Gates(better_than_serving=SURE, intent_loss=IntentLoss())
    better, loss = gates.judge(every, model("new", 1), None, {})
    assert better.passed
    assert loss.passed
    assert better.detail == "Nothing serves there yet, so there is nothing to be better than."


@pytest.mark.parametrize(
    ("serving", "why"),
    [
        (Unjudged("old", "its evaluation failed"), "its evaluation failed"),
        (model("old", 10, test_hash="b" * 64), "not tested on the same examples"),
        (model("old", 10, of=99), "more utterances"),
        (model("old", 10, of=101), "in one test only"),
    ],
)
def test_what_cannot_be_compared_is_never_better(serving, why):
    for found in gates.judge(Gates(None, SURE, IntentLoss()), model("new", 100), serving, {}):
        assert not found.passed
        assert why in found.detail


def test_without_examples_of_intents_nothing_is_better():
    found = verdict(Gates(better_than_serving=SURE), Judged("new", None, HASH, []), model("old", 10))
    assert not found.passed
    assert "no examples of intents" in found.detail


def test_an_intent_that_loses_too_much_is_named():
    old = model("old", 100)
    new = model("new", 100, wrong=range(0, 100, 2))  # every bye
    found = verdict(Gates(intent_loss=IntentLoss(examples=50, at_most=0.2)), new, old)
    assert not found.passed
    assert found.detail == "1 of 2 intents with 50 examples or more lost more than 0.2: bye 1.00 → 0.00."
    assert found.figures["lost"] == [{"intent": "bye", "a": 1.0, "b": 0.0, "support": 50}]
    rare = verdict(Gates(intent_loss=IntentLoss(examples=51, at_most=0.2)), new, old)
    assert rare.passed
    assert rare.detail == "None of 0 intents with 51 examples or more lost more than 0.2."


CITY = MustPass("to Berlin", "travel", (Entity("city", "Berlin"),), ("utter_ok",))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "“to Berlin” was not asked"),
        (Answer("bye", 0.934, []), "“to Berlin” was taken for bye (0.93), not travel"),
        (Answer("", None, []), "“to Berlin” was taken for nothing, not travel"),
        (Answer("travel", 1.0, []), "“to Berlin” has no city"),
        (Answer("travel", 1.0, [("city", "Bern")]), "“to Berlin” has city Bern, not Berlin"),
        (Answer("travel", 1.0, [("city", "Berlin")], False), "“to Berlin” was not followed by its story"),
        (Answer("travel", 1.0, [("city", "Berlin")], None), "“to Berlin” was not followed by its story"),
    ],
)
def test_an_utterance_that_must_pass_and_does_not_says_why(answer, why):
    answers = {"to Berlin": answer} if answer else {}
    found = verdict(Gates(must_pass=(CITY,)), model("new", 1), answers=answers)
    assert not found.passed
    assert found.detail == f"1 of 1 utterance that must pass did not: {why}."


def test_utterances_that_pass_are_counted():
    answers = {
        "to Berlin": Answer("travel", 1.0, [("city", "Bern"), ("city", "Berlin")], True),
        "hi": Answer("greet", 1, []),
    }
    found = verdict(Gates(must_pass=(CITY, MustPass("hi", "greet"))), model("new", 1), answers=answers)
    assert found.passed
    assert found.detail == "2 utterances that must pass did."
