"""What differs between two models: names by kind, the pipeline as config.yml spells it, and never a crash."""

import pytest

from environments import diffs


def domain(**kinds):
    return {"domain": kinds}


def changes(a, b, kind):
    return diffs.diff(a, b)[kind]


def test_names_that_came_and_went_are_sorted():
    a, b = domain(intents=["greet", "bye", "affirm"]), domain(intents=["thank", "greet", "ask"])
    assert changes(a, b, "intents") == {"added": ["ask", "thank"], "removed": ["affirm", "bye"], "changed": []}


def test_a_name_with_settings_is_the_same_name():
    a, b = domain(intents=["greet"]), domain(intents=[{"greet": {"use_entities": []}}])
    assert changes(a, b, "intents") == {"added": [], "removed": [], "changed": ["greet"]}


def test_another_wording_of_a_response_is_a_change():
    a = domain(responses={"utter_greet": [{"text": "Hi"}], "utter_bye": [{"text": "Bye"}]})
    b = domain(responses={"utter_greet": [{"text": "Hello"}], "utter_bye": [{"text": "Bye"}]})
    assert changes(a, b, "responses")["changed"] == ["utter_greet"]


def test_slots_forms_and_actions_are_told():
    b = domain(slots={"city": {"type": "text"}}, forms={"f": {}}, actions=["action_x"], entities=["city"])
    assert [changes({}, b, kind)["added"] for kind in ("slots", "forms", "actions", "entities")] == [
        ["city"],
        ["f"],
        ["action_x"],
        ["city"],
    ]


def test_against_no_model_all_is_added():
    whole = diffs.diff({}, domain(intents=["greet"]) | {"rasa_open_source_version": "3.6.21"})
    assert whole["intents"]["added"] == ["greet"]
    assert whole["version"] == {"a": None, "b": "3.6.21"}
    assert whole["pipeline"] == {"a": [], "b": []}


GRAPH = {
    "nlu_message_converter": {"uses": "rasa.x.NLUMessageConverter", "needs": {"messages": "__message__"}},
    "run_CountVectorsFeaturizer1": {
        "uses": "rasa.nlu.featurizers.sparse_featurizer.count_vectors_featurizer.CountVectorsFeaturizer",
        "needs": {"messages": "run_WhitespaceTokenizer0"},
        "config": {"analyzer": "char_wb"},
    },
    "run_WhitespaceTokenizer0": {
        "uses": "rasa.nlu.tokenizers.whitespace_tokenizer.WhitespaceTokenizer",
        "needs": {"messages": "nlu_message_converter"},
        "config": {},
    },
    "run_custom.Spell2": {"uses": "custom.Spell", "needs": {"messages": "run_CountVectorsFeaturizer1"}},
    "run_RegexMessageHandler": {"uses": "rasa.y.RegexMessageHandler", "needs": {"messages": "run_custom.Spell2"}},
    "run_RulePolicy0": {"uses": "rasa.core.policies.rule_policy.RulePolicy", "config": {"priority": 6}},
    "select_prediction": {"needs": {"policy0": "run_RulePolicy0", "domain": "domain_provider"}},
}


def test_pipeline_and_policies_are_read_from_the_graph_in_their_order():
    metadata = {"predict_schema": {"nodes": GRAPH}}
    assert diffs.pipeline(metadata) == [
        {"name": "WhitespaceTokenizer"},
        {"name": "CountVectorsFeaturizer", "analyzer": "char_wb"},
        {"name": "custom.Spell"},
    ]
    assert diffs.policies(metadata) == [{"name": "RulePolicy", "priority": 6}]


@pytest.mark.parametrize(
    "metadata",
    [
        {"domain": None},
        {"domain": {"intents": {"greet": {}}, "slots": ["a", 1, None, []], "actions": 5}},
        {"predict_schema": []},
        {"predict_schema": {"nodes": {"run_RegexMessageHandler": {"needs": {"messages": "run_RegexMessageHandler"}}}}},
        {"predict_schema": {"nodes": {"run_RegexMessageHandler": {"needs": {"messages": ["run_x"]}}, "run_x": None}}},
        {"predict_schema": {"nodes": {"select_prediction": {"needs": {"policy0": {}}}}}},
        {"rasa_open_source_version": 3},
    ],
)
def test_odd_metadata_is_no_crash(metadata):
    diffs.diff(metadata, metadata)
