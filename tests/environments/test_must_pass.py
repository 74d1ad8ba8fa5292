"""Utterances that must pass: how a Rasa server is asked, and what its answer says."""

import json

from ruamel.yaml import YAML

from environments import must_pass
from environments.gate_spec import Entity, MustPass
from environments.gates import Answer

TRAVEL = MustPass("to Berlin please", "travel", (Entity("city", "Berlin"),), ("utter_ok", "action_listen"))
HI = MustPass("hi", "greet")

# As Rasa 3.6.21 answers, without what is not read.
ANSWER = {
    "intent_evaluation": {
        "predictions": [
            {"text": "to Berlin please", "intent": "travel", "predicted": "travel", "confidence": 0.98},
            {"text": "hi", "intent": "greet", "predicted": "bye", "confidence": 0.4},
        ]
    },
    "entity_evaluation": {
        "DIETClassifier": {"report": {}, "errors": []},
        "RegexEntityExtractor": {
            "report": {},
            "errors": [
                {
                    "text": "to Berlin please",
                    "entities": [],
                    "predicted_entities": [
                        {"entity": "city", "value": "Berlin", "start": 3, "end": 9, "extractor": "RegexEntityExtractor"}
                    ],
                }
            ],
        },
    },
}


def read(document):
    return YAML(typ="safe", pure=True).load(document.decode())


def test_rasa_is_asked_with_two_intents_and_an_entity_at_least():
    items = read(must_pass.nlu([HI]))["nlu"]
    assert items[0] == {"intent": "greet", "examples": [{"text": "hi"}]}
    assert len({item["intent"] for item in items}) == 2
    assert "](" in items[1]["examples"][0]["text"]


def test_entities_are_not_marked_so_that_what_is_found_is_told():
    assert "[Berlin]" not in must_pass.nlu([TRAVEL]).decode()


def test_a_story_has_its_entities_marked():
    # Rasa knows a file of stories by a line that begins so.
    assert "stories:" in must_pass.story(TRAVEL).decode().splitlines()
    (story,) = read(must_pass.story(TRAVEL))["stories"]
    assert story["steps"] == [
        {"user": "to [Berlin](city) please", "intent": "travel"},
        {"action": "utter_ok"},
        {"action": "action_listen"},
    ]


def test_the_answer_is_read():
    found = must_pass.answers(ANSWER, [TRAVEL, HI, MustPass("never asked", "greet")])
    assert found == {
        "to Berlin please": Answer("travel", 0.98, [("city", "Berlin")]),
        "hi": Answer("bye", 0.4, []),
    }


def test_an_answer_without_anything_says_nothing():
    nothing = {"intent_evaluation": None, "entity_evaluation": None}
    assert must_pass.answers(nothing, [HI]) == {}


def test_it_is_stored_as_json():
    found = must_pass.answers(ANSWER, [TRAVEL])
    (stored,) = json.loads(json.dumps(must_pass.stored(found)))
    assert stored == {
        "text": "to Berlin please",
        "intent": "travel",
        "confidence": 0.98,
        "entities": [["city", "Berlin"]],
        "story": None,
        "note": "",
    }
