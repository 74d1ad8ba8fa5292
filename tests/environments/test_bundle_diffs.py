"""What differs between two bundles: intents with their examples, stories, rules, responses, flows, config, domain."""

import io

import pytest

from environments import bundle_diffs, bundles
from environments.packing import Limits
from tests.projects import CONFIG, tree, zipped


def read(**changes) -> bundles.Project:
    return bundles.read(io.BytesIO(zipped(tree(**changes))), Limits())


def between(a: dict, b: dict):
    return bundle_diffs.diff(read(**a), read(**b))


def test_nothing_differs_between_a_project_and_itself():
    assert bundle_diffs.is_empty(between({}, {}))
    moved = between({}, {"data__nlu": None, "data__other": tree()["data/nlu.yml"] + "# a remark\n"})
    assert bundle_diffs.is_empty(moved)


def test_examples_are_told_for_each_intent():
    nlu = "nlu:\n- intent: greet\n  examples: |\n    - hi\n    - moin\n- intent: faq\n  examples:\n  - text: what\n"
    found = between({}, {"data__nlu": nlu})
    assert not bundle_diffs.is_empty(found)
    assert found["intents"]["changed"] == [
        {"intent": "greet", "examples_added": 1, "examples_removed": 1, "added": ["moin"], "removed": ["hello"]}
    ]
    assert [item["intent"] for item in found["intents"]["added"]] == ["faq"]
    assert found["intents"]["added"][0]["added"] == ["what"]
    assert [item["intent"] for item in found["intents"]["removed"]] == ["bye"]


def test_many_examples_are_counted_and_some_shown():
    lines = "".join(f"    - example {number} {'x' * 400}\n" for number in range(200))
    (changed,) = between({}, {"data__more": f"nlu:\n- intent: greet\n  examples: |\n{lines}"})["intents"]["changed"]
    assert changed["examples_added"] == 200
    assert len(changed["added"]) == bundle_diffs.MAX_EXAMPLES
    assert len(changed["added"][0]) == bundle_diffs.MAX_EXAMPLE


def test_the_order_of_examples_and_of_files_means_nothing():
    nlu = "nlu:\n- intent: bye\n  examples: |\n    - bye\n- intent: greet\n  examples: |\n    - hello\n    - hi\n"
    assert bundle_diffs.is_empty(between({}, {"data__nlu": nlu}))


STORY = "stories:\n- story: {name}\n  steps:\n  - intent: greet\n  - action: utter_greet\n"


HELLO = STORY.format(name="hello")
LONGER = tree()["data/rules.yml"] + "  - action: utter_greet\n"
PAY, PAID = "flows: {pay: {steps: []}}", "flows: {pay: {name: P}}"
KINDS = [
    ("stories", {}, {"data__s": HELLO}, {"added": ["hello"]}),
    ("stories", {"data__s": HELLO}, {}, {"removed": ["hello"]}),
    ("rules", {}, {"data__rules": LONGER}, {"changed": ["greet back"]}),
    ("responses", {}, {"domain__x": "responses: {utter_x: [{text: X}]}"}, {"added": ["utter_x"]}),
    ("responses", {}, {"data__x": "responses: {utter_faq/x: [{text: X}]}"}, {"added": ["utter_faq/x"]}),
    ("flows", {"data__f": PAY}, {"data__f": PAID}, {"changed": ["pay"]}),
    ("entities", {}, {"domain__x": "entities: [city]"}, {"added": ["city"]}),
    ("actions", {"domain__x": "actions: [a]"}, {"domain__x": "actions: [b]"}, {"added": ["b"], "removed": ["a"]}),
]


@pytest.mark.parametrize(("kind", "a", "b", "expected"), KINDS)
def test_each_kind_is_told_by_name(kind, a, b, expected):
    assert between(a, b)[kind] == {"added": [], "removed": [], "changed": [], **expected}


def test_stories_of_one_name_are_told_apart():
    twice = STORY.format(name="hello") + STORY.format(name="hello").partition("\n")[2]
    assert between({"data__s": STORY.format(name="hello")}, {"data__s": twice})["stories"]["added"] == ["hello (2)"]


def test_what_differs_of_the_config_stands_beside_each_other():
    found = between({}, {"config": CONFIG.replace("en", "de")})["config"]
    assert found["language"] == {"a": "en", "b": "de"}
    assert "policies" not in found


def test_the_session_of_the_domain_is_told():
    found = between({}, {"domain__s": "session_config: {session_expiration_time: 5}"})["session"]
    assert found == {"session_config": {"a": None, "b": {"session_expiration_time": 5}}}
