"""Rasa's own answers, as stock servers of 3.6.21 gave them, in the shapes that are stored."""

import json
import math

import pytest

from environments import rasa_reports
from environments.examples import Example

TESTED = [
    Example("greet", "hi there"),
    Example("greet", "good day"),
    Example("bye", "ciao bella"),
    Example("book", "to [Berlin](city)"),
]
ANSWER = {
    "intent_evaluation": {
        "predictions": [
            {"text": "hi there", "intent": "greet", "predicted": "greet", "confidence": 1.0},
            {"text": "good day", "intent": "greet", "predicted": "", "confidence": 0.0},
            {"text": "ciao bella", "intent": "bye", "predicted": "bye", "confidence": 0.97},
            {"text": "to Berlin", "intent": "book", "predicted": "bye", "confidence": 0.31},
        ],
        "report": {"greet": {"precision": 1.0}, "accuracy": 0.5},
        "precision": 0.625,
        "f1_score": 0.5,
        "accuracy": 0.5,
        "errors": [],
    },
    "entity_evaluation": {
        "RegexEntityExtractor": {
            "report": {
                "city": {"precision": 1.0, "recall": 0.5, "f1-score": 0.6667, "support": 2, "confused_with": {}},
                "weighted avg": {"precision": 1.0, "recall": 0.5, "f1-score": 0.6667, "support": 2},
                "accuracy": 0.9375,
            },
            "errors": [
                {
                    "text": "to Berlin",
                    "entities": [{"start": 3, "end": 9, "value": "Berlin", "entity": "city"}],
                    "predicted_entities": [],
                }
            ],
        },
        "DIETClassifier": {"report": {"city": {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 2}}},
    },
    "response_selection_evaluation": None,
}
# `cross_validation_folds=2` on greet (hi, hey, hello) and bye (bye); `good` was right.
FOLDED = {
    "intent_evaluation": {
        "report": {
            "greet": {"precision": 1.0, "recall": 1 / 3, "f1-score": 0.5, "support": 3.0},
            "bye": {"precision": 1 / 3, "recall": 1.0, "f1-score": 0.5, "support": 1.0},
            "weighted avg": {"precision": 0.8333, "recall": 0.5, "f1-score": 0.5, "support": 4.0},
            "accuracy": 0.5,
        },
        "precision": 0.8333,
        "f1_score": None,
        "errors": [
            {"text": "hi", "intent": "greet", "intent_prediction": {"name": "bye", "confidence": 0.4}},
            {"text": "hey", "intent": "greet", "intent_prediction": {"name": "bye", "confidence": 0.6}},
        ],
    },
    "entity_evaluation": {"report": {}, "precision": None, "f1_score": None, "errors": []},
    "response_selection_evaluation": {"report": {}, "precision": None, "f1_score": None, "errors": []},
}
FOLDED_EXAMPLES = [Example("greet", text) for text in ("hi", "hey", "hello")] + [Example("bye", "bye")]


def test_intents_are_told_in_our_shape():
    intents = rasa_reports.understood(ANSWER, TESTED).intents
    assert intents["accuracy"] == 0.5
    assert intents["per_intent"]["greet"] == {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 2}
    assert intents["per_intent"]["book"]["f1"] == 0.0
    assert intents["f1"] == pytest.approx((2 * 2 / 3 + 2 / 3) / 4)
    assert intents["confusion"] == {"bye": {"bye": 1}, "book": {"bye": 1}, "greet": {"": 1, "greet": 1}}


def test_the_confidences_are_counted():
    confidence = rasa_reports.understood(ANSWER, TESTED).intents["confidence"]
    assert confidence["right"] == [0] * 19 + [2]
    assert (confidence["wrong"][0], confidence["wrong"][6], sum(confidence["wrong"])) == (1, 1, 2)


def test_each_prediction_is_kept():
    found = rasa_reports.understood(ANSWER, TESTED).predictions
    assert found[3] == {"text": "to Berlin", "intent": "book", "predicted": "bye", "confidence": 0.31}


def test_entities_are_told_by_extractor_the_best_first():
    entities = rasa_reports.understood(ANSWER, TESTED).entities
    assert entities["f1"] == pytest.approx(0.6667)
    assert set(entities["extractors"]) == {"RegexEntityExtractor", "DIETClassifier"}
    assert entities["extractors"]["RegexEntityExtractor"]["per_entity"]["city"]["support"] == 2
    assert entities["wrong"] == [
        {
            "text": "to Berlin",
            "extractor": "RegexEntityExtractor",
            "expected": [{"entity": "city", "value": "Berlin"}],
            "predicted": [],
        }
    ]


def test_a_cross_validation_has_its_f1_although_rasa_says_null():
    found = rasa_reports.understood(FOLDED, FOLDED_EXAMPLES)
    assert found.intents["f1"] == pytest.approx(0.5)
    assert found.intents["accuracy"] == 0.5
    assert found.intents["per_intent"]["greet"]["recall"] == pytest.approx(1 / 3)
    assert [one["predicted"] for one in found.predictions] == ["bye", "bye", "greet", "bye"]
    assert found.predictions[2]["confidence"] is None
    assert found.entities is None
    assert found.responses is None


def test_a_cross_validation_of_other_texts_has_its_report_alone():
    found = rasa_reports.understood(FOLDED, FOLDED_EXAMPLES[1:])
    assert found.predictions is None
    assert found.intents["f1"] == pytest.approx(0.5)
    assert found.intents["per_intent"]["greet"] == {"precision": 1.0, "recall": 1 / 3, "f1": 0.5, "support": 3}


def test_retrieval_intents_are_tested_with_their_responses():
    answer = {
        "response_selection_evaluation": {
            "predictions": [
                {
                    "text": "name?",
                    "intent_response_key_target": "faq/name",
                    "intent_response_key_prediction": "faq/name",
                    "confidence": 0.9,
                },
                {
                    "text": "age?",
                    "intent_response_key_target": "faq/age",
                    "intent_response_key_prediction": None,
                    "confidence": 0.0,
                },
            ]
        }
    }
    responses = rasa_reports.understood(answer, []).responses
    assert responses["accuracy"] == 0.5
    assert responses["per_response"]["faq/age"]["recall"] == 0.0


def test_nothing_to_test_is_null():
    nothing = dict.fromkeys(ANSWER)
    assert rasa_reports.understood(nothing, TESTED) == rasa_reports.Understood()


def test_an_intent_named_like_a_word_of_the_report_is_an_intent():
    predictions = [{"text": "x", "intent": "accuracy", "predicted": "accuracy", "confidence": 1}]
    found = rasa_reports.understood({"intent_evaluation": {"predictions": predictions, "report": {}}}, [])
    assert found.intents["per_intent"]["accuracy"]["f1"] == 1.0


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, "0.9", None, True, [], pytest.param(10**400, id="big")])
def test_odd_numbers_do_no_harm(odd):
    predictions = [{"text": "x", "intent": "a", "predicted": "b", "confidence": odd}]
    report = {"city": {"precision": odd, "recall": odd, "f1-score": odd, "support": odd}}
    answer = {
        "intent_evaluation": {"predictions": predictions, "f1_score": odd, "report": report},
        "entity_evaluation": {"X": {"report": report, "errors": None}},
        "response_selection_evaluation": {"report": report},
    }
    found = rasa_reports.understood(answer, [])
    stored = json.dumps([found.intents, found.entities, found.responses, found.predictions], allow_nan=False)
    assert "NaN" not in stored


def test_odd_texts_can_be_stored():
    predictions = [{"text": "a\0b\ud83e", "intent": 3, "predicted": None, "confidence": 0.5}]
    [one] = rasa_reports.understood({"intent_evaluation": {"predictions": predictions}}, []).predictions
    assert one == {"text": "a\ufffdb?", "intent": "3", "predicted": "", "confidence": 0.5}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "report",
        {"intent_evaluation": "x"},
        {"intent_evaluation": {"predictions": "x"}},
        {"intent_evaluation": {"predictions": ["x"]}},
        {"intent_evaluation": {"errors": {"a": 1}}},
        {"intent_evaluation": {"predictions": [], "report": [1]}},
        {"entity_evaluation": [1]},
        {"response_selection_evaluation": {"predictions": {"a": 1}}},
    ],
)
def test_what_is_no_report_is_told_apart(answer):
    with pytest.raises(rasa_reports.NotAReport):
        rasa_reports.understood(answer, TESTED)


STORIES = {
    "report": {
        "utter_bye": {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 1},
        "action_listen": {"precision": 1.0, "recall": 0.5, "f1-score": 2 / 3, "support": 2},
        "weighted avg": {"precision": 2 / 3, "recall": 1 / 3, "f1-score": 0.4444, "support": 3},
        "accuracy": 1 / 3,
    },
    "precision": 2 / 3,
    "f1": 0.4444,
    "accuracy": 1 / 3,
    "actions": [
        {"action": "utter_bye", "predicted": "action_default_fallback", "policy": "RulePolicy", "confidence": 0.3},
        {"action": "action_listen", "predicted": "action_listen", "policy": "RulePolicy", "confidence": 1.0},
    ],
    "is_end_to_end_evaluation": True,
}


def test_stories_are_told_with_what_went_wrong():
    told = rasa_reports.stories(STORIES, 2)
    assert (told["stories"], told["actions"]) == (2, 2)
    assert (told["accuracy"], told["f1"]) == (pytest.approx(1 / 3), pytest.approx(4 / 9))
    assert told["recall"] == pytest.approx(1 / 3)
    assert told["wrong"] == [{"action": "utter_bye", "predicted": "action_default_fallback"}]
    assert set(told["per_action"]) == {"utter_bye", "action_listen"}


@pytest.mark.parametrize("answer", [None, [], {"actions": "x"}, {"actions": [1]}, {"report": 3}])
def test_what_tells_nothing_of_stories_is_no_report(answer):
    with pytest.raises(rasa_reports.NotAReport):
        rasa_reports.stories(answer, 1)
