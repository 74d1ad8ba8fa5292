"""What a bot says as pages show it."""

import json

import pytest

from environments.pages.answers import LONGEST_JSON, differences, shown

GIF = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


def test_text_buttons_and_quick_replies():
    answer = {
        "recipient_id": "me",
        "text": "Which?",
        "buttons": [{"title": "One", "payload": "/one"}, {"title": "Two"}, {"payload": "/three"}],
        "quick_replies": [{"title": "Four", "payload": "/four"}],
    }
    assert shown(answer) == {
        "text": "Which?",
        "buttons": [
            {"title": "One", "payload": "/one"},
            {"title": "Two", "payload": "Two"},
            {"title": "/three", "payload": "/three"},
            {"title": "Four", "payload": "/four"},
        ],
    }


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (
            "https://cards.example.com/a.png?x=1",
            {"link": "https://cards.example.com/a.png?x=1", "host": "cards.example.com"},
        ),
        (GIF, {"picture": GIF}),
        ("data:image/svg+xml;base64,PHN2Zz4=", {"odd": "data:image/svg+xml;base64,PHN2Zz4="}),
        ("javascript:alert(1)", {"odd": "javascript:alert(1)"}),
        ("//evil.example.com/x.png", {"odd": "//evil.example.com/x.png"}),
        ("https://[bad", {"odd": "https://[bad"}),
        ("data:image/png;base64," + "A" * 40_000, {"odd": ("data:image/png;base64," + "A" * 40_000)[:200]}),
        (3, {}),
    ],
)
def test_a_picture_elsewhere_is_a_link_and_only_a_harmless_one_is_shown(image, told):
    assert shown({"image": image}) == {"text": "", "buttons": [], **told}


def test_what_has_no_form_of_its_own_is_json():
    assert json.loads(shown({"custom": {"kind": "map"}})["json"]) == {"kind": "map"}
    assert json.loads(shown({"custom": [1], "attachment": "x"})["json"]) == {"custom": [1], "attachment": "x"}
    assert len(shown({"custom": "x" * 100_000})["json"]) <= LONGEST_JSON + 2


@pytest.mark.parametrize(
    "answer",
    [{}, {"text": None, "buttons": "odd"}, {"text": ["x"], "buttons": [3, {"title": {}}]}, {"text": "a\0\ud800"}],
)
def test_odd_answers_break_no_page(answer):
    json.dumps(shown(answer)).encode()


def told(intent="greet", confidence=0.9, actions=("utter_greet",), text="Hello", **more):
    understood = {"intent": intent, "confidence": confidence, "entities": [], "slots": []}
    understood["actions"] = [[name, "RulePolicy", confidence] for name in actions]
    return {"heard": understood | more, "answers": [shown({"text": text})]}


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (told(confidence=0.5), []),
        (told(intent="goodbye"), ["intent"]),
        (told(entities=[["city", "Paris"]]), ["entities"]),
        (told(actions=("utter_greet", "action_save")), ["actions"]),
        (told(slots=[["city", "Paris"]]), ["slots"]),
        (told(text="Hi"), ["answer"]),
        ({**told(), "heard": None}, []),
    ],
)
def test_differences_are_named_and_how_sure_is_none(other, found):
    assert differences(told(), other) == found
