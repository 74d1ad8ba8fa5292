"""Examples: read as Rasa reads them, held out the same way each time, named by what they are."""

import json

import pytest
from ruamel.yaml import YAML

from environments import examples
from environments.examples import Example

LINES = "- hi\n- hello  \n -not one\nnor this\n-hey\n- fly to [Paris](city)\n"


def test_lines_and_lists_are_read():
    items = [
        {"intent": "greet", "examples": LINES},
        {"intent": "bye", "examples": [{"text": "see\nyou\n", "metadata": {"a": 1}}, {"text": 3}, "ciao", None]},
        {"lookup": "city", "examples": "- Paris"},
        {"intent": "", "examples": "- nothing"},
        "odd",
    ]
    assert examples.read(items) == [
        Example("greet", "hi"),
        Example("greet", "hello"),
        Example("greet", "hey"),
        Example("greet", "fly to [Paris](city)"),
        Example("bye", "see\nyou"),
        Example("bye", "ciao"),
    ]


@pytest.mark.parametrize("items", [None, {}, "nlu", [{"intent": "greet"}], [{"intent": "greet", "examples": 3}], [3]])
def test_what_holds_none_gives_none(items):
    assert examples.read(items) == []


def test_each_example_counts_once():
    assert len(examples.read([{"intent": "greet", "examples": "- hi\n- hi\n"}] * 2)) == 1


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("fly to [Paris](city)", "fly to Paris"),
        ("fly to [Paris](city:capital) and [Rome](city)", "fly to Paris and Rome"),
        ('fly to [Paris]{"entity": "city", "role": "to"}', "fly to Paris"),
        ('fly to [Paris][{"entity": "city"}, {"entity": "place"}] now', "fly to Paris now"),
        ("an array [1] (not an entity)", "an array [1] (not an entity)"),
    ],
)
def test_the_plain_text_is_what_a_person_says(written, plain):
    assert Example("book", written).plain == plain


def many(count, intent="greet"):
    return [Example(intent, f"number {number}") for number in range(count)]


def test_a_fifth_of_each_intent_is_held_out():
    held = examples.held_out([*many(20), *many(5, "bye"), *many(2, "ask"), *many(1, "odd")])
    counts = {name: sum(example.intent == name for example in held) for name in ("greet", "bye", "ask", "odd")}
    assert counts == {"greet": 4, "bye": 1, "ask": 1, "odd": 0}


def test_the_same_part_is_held_out_in_any_order():
    assert examples.held_out(many(50)) == examples.held_out(reversed(many(50)))


def test_more_data_moves_little_of_what_is_held_out():
    before, after = set(examples.held_out(many(100))), set(examples.held_out(many(105)))
    assert len(before & after) >= 15


def test_the_digest_knows_examples_and_what_is_done_with_them():
    plain = examples.digest(many(3))
    assert plain == examples.digest([*reversed(many(3)), many(1)[0]])
    others = (many(2), many(3, "bye"), [*many(2), Example("greet", "number [2](count)")])
    assert len({plain, *map(examples.digest, others), examples.digest(many(3), "folds", "5")}) == 5


@pytest.mark.parametrize("text", ["hé: 'x' \\u0041", "- # no: {comment}", 'say "yes"\nor no', "🦦", "[Paris](city)"])
def test_the_document_is_what_rasa_reads(text):
    written = examples.document([Example("greet", text), Example("bye/now", "x"), Example("greet", "hi")])
    assert YAML(typ="safe", pure=True).load(written.decode()) == {
        "version": "3.1",
        "nlu": [
            {"intent": "greet", "examples": [{"text": text}, {"text": "hi"}]},
            {"intent": "bye/now", "examples": [{"text": "x"}]},
        ],
    }


def test_the_document_is_not_taken_for_another_format():
    with pytest.raises(json.JSONDecodeError):
        json.loads(examples.document(many(2)))


def test_what_the_model_was_trained_on_is_counted_by_its_words():
    tested = [Example("book", "fly to [Paris](city)"), Example("book", "go away")]
    assert examples.seen(tested, [Example("travel", 'fly to [Paris]{"entity": "place"}')]) == 1
