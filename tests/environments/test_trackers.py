"""What a tracker tells, turn by turn, whatever a server sends."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments import trackers
from environments.trackers import Action, Turn

ALICE = {
    "sender_id": "alice",
    "events": [
        {"event": "action", "name": "action_session_start", "confidence": 1.0},
        {"event": "slot", "name": "session_started_metadata", "value": None},
        {"event": "action", "name": "action_listen", "policy": None, "confidence": None},
        {
            "event": "user",
            "timestamp": 1795761238.5,
            "text": "order to Paris",
            "input_channel": "rest",
            "metadata": {"model_id": "abc", "assistant_id": "x"},
            "parse_data": {
                "intent": {"name": "order", "confidence": 0.8},
                "intent_ranking": [{"name": "order", "confidence": 0.8}, {"name": "greet", "confidence": 0.1}],
                "entities": [
                    {"entity": "city", "start": 9, "end": 14, "value": "Paris", "extractor": "DIETClassifier"}
                ],
            },
        },
        {"event": "slot", "name": "city", "value": "Paris"},
        {"event": "action", "name": "utter_order", "policy": "policy_2_TEDPolicy", "confidence": 0.7},
        {
            "event": "bot",
            "text": "Ordered",
            "data": {"buttons": None, "image": "https://x/y.png", "attachment": "https://x/y.png"},
        },
        {"event": "bot", "text": None, "data": {"custom": {"kind": "map"}}},
        {"event": "action", "name": "action_listen", "policy": "RulePolicy", "confidence": 1.0},
    ],
}


def test_a_turn_holds_what_was_understood_and_done():
    [turn] = trackers.turns(ALICE)
    assert (turn.text, turn.intent, turn.confidence) == ("order to Paris", "order", 0.8)
    assert turn.ranking == [("order", 0.8), ("greet", 0.1)]
    assert [entity["entity"] for entity in turn.entities] == ["city"]
    assert turn.actions == [Action("utter_order", "TEDPolicy", 0.7)]
    assert turn.slots == [("city", "Paris")]
    assert turn.answers == [{"text": "Ordered", "image": "https://x/y.png"}, {"custom": {"kind": "map"}}]
    assert (turn.model_id, turn.channel, turn.at) == ("abc", "rest", 1795761238.5)


def test_what_the_bot_said_before_anybody_spoke_is_a_turn_of_its_own():
    said = {"event": "bot", "text": "Welcome"}
    first, second = trackers.turns({"events": [said, *ALICE["events"]]})
    assert (first.text, first.answers, second.text) == (None, [{"text": "Welcome"}], "order to Paris")


@pytest.mark.parametrize(
    "tracker",
    [
        None,
        [],
        {"events": {}},
        {"events": [None, 3, {"event": []}, {"event": "user"}, {"event": "action", "name": 3}]},
        {"events": [{"event": "user", "text": 3, "parse_data": {"intent": "greet", "entities": [3]}, "metadata": 1}]},
        {"events": [{"event": "user", "parse_data": {"intent": {"name": None, "confidence": math.nan}}}]},
        {"events": [{"event": "bot", "text": ["x"], "data": 3}]},
    ],
)
def test_odd_trackers_break_nothing(tracker):
    for turn in trackers.turns(tracker):
        assert turn.confidence is None
        json.dumps([turn.entities, turn.answers, turn.slots], allow_nan=False)


def test_what_cannot_be_stored_is_replaced():
    deep: object = "deep"
    for _ in range(100):
        deep = [deep]
    assert trackers.plain({"a\0": ["\ud800", math.inf]}) == {"a\ufffd": ["?", None]}
    assert len(json.dumps(trackers.plain(deep))) < 100


def said(*texts: str) -> list[Turn]:
    return [Turn(text=text) for text in texts]


def test_messages_find_their_turns():
    found = said("hi", "book", "hi")
    assert trackers.match(found, ["hi", " book ", "hi"]) == found


def test_of_a_tracker_that_was_lost_the_last_messages_are_found():
    found = said("hi")
    assert trackers.match(found, ["hi", "hi"]) == [None, found[0]]


def test_what_was_said_elsewhere_is_passed_over():
    found = said("by another channel", "hi", "again by another")
    assert trackers.match(found, ["hi", "lost"]) == [found[1], None]


def test_entities_are_annotated_as_rasa_writes_them():
    entities = [
        {"entity": "city", "start": 3, "end": 8, "value": "Paris"},
        {"entity": "city", "start": 12, "end": 16, "value": "rome", "role": "to"},
        {"entity": "number", "start": 17, "end": 18, "value": 2, "extractor": "DucklingEntityExtractor"},
    ]
    text = trackers.annotated("to Paris or Rome 2", entities)
    assert text == 'to [Paris](city) or [Rome]{"entity": "city", "value": "rome", "role": "to"} 2'


@given(
    st.text(max_size=30),
    st.lists(
        st.fixed_dictionaries({"entity": st.text(max_size=5), "start": st.integers(-2, 40), "end": st.integers()})
    ),
)
def test_odd_places_of_entities_never_lose_text(text, entities):
    annotated = trackers.annotated(text, entities)
    rest = iter(annotated)
    assert all(letter in rest for letter in text)
