"""Projects to train from: what is found in them, how they are merged, and every one that is refused."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from environments import bundles
from environments.bundles import loading
from environments.bundles.merging import DOMAIN_KEYS, TRAINING_KEYS
from environments.errors import BundleInvalid
from environments.packing import Limits
from tests.projects import CONFIG, DOMAIN, NLU, tarred, tree, zipped


def project(files=None, packed=zipped) -> bundles.Project:
    return bundles.read(io.BytesIO(packed(files)), Limits())


def document(files=None, config: str = ""):
    return YAML(typ="safe", pure=True).load(project(files).document(config).decode())


def refused(files) -> str:
    with pytest.raises(BundleInvalid) as refusal:
        project(files)
    return refusal.value.detail


@pytest.mark.parametrize("packed", [zipped, tarred])
def test_a_project_is_read_and_counted(packed):
    read = project(packed=packed)
    assert read.files == ("config.yml", "data/nlu.yml", "data/rules.yml", "domain.yml")
    assert read.counts == {"intents": 2, "examples": 3, "stories": 0, "rules": 1, "flows": 0}


def test_everything_becomes_one_document():
    merged = document()
    assert [part["name"] for part in merged["pipeline"]] == ["WhitespaceTokenizer", "KeywordIntentClassifier"]
    assert merged["intents"] == ["greet", "bye"]
    assert [item["intent"] for item in merged["nlu"]] == ["greet", "bye"]
    assert merged["rules"][0]["rule"] == "greet back"
    assert merged["version"] == "3.1"


def test_a_folder_around_everything_is_seen_through():
    wrapped = {f"my-bot-main/{path}": text for path, text in tree().items()} | {"README.md": "x"}
    assert "config.yml" in project(wrapped).files


def test_domain_folder_and_several_data_files_are_merged():
    merged = document(
        tree(
            domain__faq="intents: [faq, greet]\nresponses: {utter_faq: [{text: Ask}]}",
            data__more__stories="stories: [{story: s, steps: [{intent: greet}]}]",
            data__more__nlu="nlu: [{intent: faq, examples: '- what'}]",
        )
    )
    assert merged["intents"] == ["greet", "bye", "faq"]
    assert set(merged["responses"]) == {"utter_greet", "utter_faq"}
    assert len(merged["nlu"]) == 3
    assert merged["stories"][0]["story"] == "s"


def test_responses_beside_nlu_data_are_kept():
    merged = document(tree(data__responses="responses: {utter_faq/ask: [{text: Ask}]}"))
    assert set(merged["responses"]) == {"utter_greet", "utter_faq/ask"}


def test_a_name_with_options_wins_over_the_bare_name():
    merged = document(tree(domain__more="intents: [{greet: {use_entities: []}}]"))
    assert merged["intents"] == [{"greet": {"use_entities": []}}, "bye"]


def test_tests_and_results_are_no_training_data():
    files = tree(
        tests__test_stories="stories: [{story: t, steps: []}]",
        results__failed_test_stories="stories: [{story: f, steps: []}]",
        data__test_stories="stories: [{story: d, steps: []}]",
    )
    assert "stories" not in document(files)
    assert "tests/test_stories.yml" in project(files).files


def test_test_data_is_known():
    read = project(
        tree(
            tests__test_stories="stories: [{story: t, steps: []}]",
            tests__more="stories: [{story: m, steps: []}]\nnlu: [{intent: greet, examples: '- hey'}]",
            data__test_stories="stories: [{story: d, steps: []}]\nnlu: [{intent: bye, examples: '- ciao'}]",
            train_test_split__test_data="nlu: [{intent: bye, examples: '- so long'}]",
        )
    )
    assert [story["story"] for story in read.test_stories] == ["d", "m", "t"]
    assert [item["examples"] for item in read.test_nlu] == ["- hey", "- so long"]
    assert read.counts["examples"] == 4


def test_tests_that_cannot_be_read_are_told_and_keep_nothing_from_training():
    read = project(tree(tests__test_stories="stories: ["))
    assert read.test_stories == []
    assert "tests/test_stories.yml" in read.warnings[0]


def test_a_project_is_extracted_from_the_folder_around_it(tmp_path):
    wrapped = {f"my-bot-main/{path}": text for path, text in tree().items()} | {"README.md": "x"}
    root = bundles.extract_project(io.BytesIO(zipped(wrapped)), tmp_path, Limits())
    assert (root / "data/nlu.yml").is_file()
    assert root.name == "my-bot-main"


def test_without_a_data_folder_training_data_lies_at_the_root():
    assert "nlu" in document({"config.yml": CONFIG, "domain.yml": DOMAIN, "nlu.yml": NLU, "endpoints.yml": "a: 1"})


def test_flows_alone_are_enough():
    read = project({"config.yml": CONFIG, "domain.yml": DOMAIN, "data/flows.yml": "flows: {pay: {steps: []}}"})
    assert read.counts["flows"] == 1


def test_another_config_takes_the_place_of_the_projects_own():
    merged = document(config="language: de\npipeline: [{name: KeywordIntentClassifier}]")
    assert merged["language"] == "de"
    assert "policies" not in merged


def test_text_means_the_same_after_merging():
    text = "nlu:\n- intent: greet\n  examples: |\n    - 'yes': no\n    - 7:30 # not a comment\n    - 🦦\n"
    assert document(tree(data__nlu=text))["nlu"][0]["examples"] == "- 'yes': no\n- 7:30 # not a comment\n- 🦦\n"


def test_escapes_are_read_as_rasa_reads_them():
    domain = 'intents: [greet]\nresponses: {utter_greet: [{text: "Otter \\ud83e\\udda6"}]}'
    assert document(tree(domain=domain))["responses"]["utter_greet"] == [{"text": "Otter 🦦"}]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "There is no config.yml. Put"),
        ({"a/config.yml": CONFIG, "b/config.yml": CONFIG}, "There are several projects: a, b."),
        (tree() | {"config.yaml": CONFIG}, "Keep one of them"),
        ({"config.yml": CONFIG, "data/nlu.yml": NLU}, "There is no domain. Add domain.yml"),
        ({"config.yml": CONFIG, "domain.yml": DOMAIN}, "There is nothing to train from"),
        ({"config.yml": CONFIG, "domain.yml": DOMAIN, "data/nlu.yml": "nlu: []"}, "There is nothing to train from"),
        (tree(data__bad="nlu:\n- intent: [x\n"), "data/bad.yml:2: "),
        (tree(data__bad='nlu:\n- intent: "x\\0"\n'), "data/bad.yml:2: found a NUL"),
        (tree(domain="intents: [a]\nintents: [b]"), "domain.yml:2: found duplicate key"),
        (tree(data__list="- a"), "data/list.yml:1: The file must be a mapping"),
        (tree(data__nlu="nlu: {intent: greet}"), "data/nlu.yml:1: nlu must be a list"),
        (tree(domain="intents: greet"), "domain.yml:1: intents must be a list"),
        (tree(domain="responses: [a]"), "domain.yml:1: responses must be a mapping"),
        (tree(data__old='version: "2.0"\nnlu: [{intent: a}]'), "data/old.yml:1: The format version is 2.0"),
        (tree(config=CONFIG + "importers: [{name: MultiProjectImporter}]"), "importers and imports cannot be used"),
        (tree(domain__b="responses: {utter_greet: [{text: Hey}]}"), "utter_greet under responses is defined diff"),
        (tree(domain__b="intents: [{a: {x: 1}}, {a: {x: 2}}]"), "a under intents is defined differently"),
        (tree(domain__a="session_config: {a: 1}", domain__b="session_config: {a: 2}"), "session_config differs"),
        (tree() | {"data/nlu.json": '{"rasa_nlu_data": {}}'}, "Convert it: rasa data convert nlu"),
        (tree(data__latin=b"nlu: [{intent: caf\xe9}]"), "data/latin.yml is not UTF-8"),
        (tree(data__tag="nlu: !!python/object:os.system {}"), "data/tag.yml:1: "),
        (tree(data__ring="nlu: &a [*a]"), "too large, too deep"),
        (tree(data__deep="nlu: " + "[" * 300 + "]" * 300), "data/deep.yml"),
        (tree(data__two="nlu: []\n---\nnlu: []"), "data/two.yml:2: there is a second document"),
    ],
)
def test_a_project_that_cannot_be_trained_from_is_refused_with_file_and_cure(files, sentence):
    assert sentence in refused(files)


def test_aliases_that_blow_up_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "by aliases" in refused(tree(data__bomb="\n".join(lines)))


@pytest.mark.parametrize(
    "text",
    [
        "nlu: " + "[" * 200_000 + "]" * 200_000,
        "nlu: " + "{a: " * 20_000 + "}" * 20_000,
        "".join(f"{' ' * depth}a:\n" for depth in range(2000)),
        "- " * 50_000 + "a",
        "a0: &a0 {"
        + ", ".join(f"k{n}: 1" for n in range(10))
        + "}\n"
        # Merges write out what they name before anybody can count it.
        + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 10)),
        "a: &a {<<: *a}",
        "nlu: [&a {b: &b [*a, *b]}]",
    ],
    ids=[
        "deep lists",
        "deep mappings",
        "deep blocks",
        "deep dashes",
        "merges that blow up",
        "a merge of itself",
        "rings",
    ],
)
def test_what_no_machine_could_hold_is_refused(text):
    assert "data/bomb.yml is too large, too deep or repeats itself" in refused(tree(data__bomb=text))


def test_a_file_of_too_many_values_is_refused_while_it_is_read(monkeypatch):
    monkeypatch.setattr(loading, "MAX_NODES", 1000)
    assert "data/many.yml is too large" in refused(tree(data__many="x:\n" + "- a\n" * 1001))
    assert project(tree(data__many="x:\n" + "- a\n" * 900))


@pytest.mark.parametrize(
    "text",
    [
        'nlu: !!bool "x"',
        'nlu: !!int "x"',
        "nlu: !!float x",
        "nlu: !!timestamp x",
        "nlu: 2001-99-99",
        "nlu: !!omap [a, b]",
        "nlu: !!pairs {a: b}",
        "nlu: !!set [a]",
        "nlu: !!map x",
        "nlu: !!seq x",
        "nlu: !!str [a]",
        "nlu: !!null [a]",
        "? [{a: b}]\n: c",
        "? {a: b}\n: c",
        "? !!set {a}\n: c",
        "<<: x",
        "<<: [1]",
        "nlu: [*nobody]",
        "nlu: " + "9" * 5000,
        "%YAML 9.9\n---\nnlu: []",
        "nlu: [\x01]",
        "nlu: \ud800",
        "nlu:\n\t- a",
        'nlu: "a',
        "nlu: 'a",
        "a: b: c",
        "{",
        "]",
        "&",
        "*",
        "@",
        "`",
        "%",
        "|x",
        ">9999999999",
    ],
)
def test_odd_yaml_is_refused_by_the_name_of_its_file(text):
    content = text.encode("utf-8", "surrogatepass")
    assert refused(tree(data__odd=content)).startswith("data/odd.yml")


@pytest.mark.parametrize(
    "importers", ["5", "x", "{a: b}", "[[a]]", "[{name: [a]}]", "[null, a]", "[RasaFileImporter, a]"]
)
def test_odd_importers_are_refused(importers):
    assert "importers and imports cannot be used" in refused(tree(config=f"{CONFIG}importers: {importers}"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
KEYS = [*DOMAIN_KEYS, *TRAINING_KEYS, "importers", "imports", "pipeline", "language", ""]


@given(st.sampled_from(["config", "domain", "data__nlu", "data__more"]), st.dictionaries(st.sampled_from(KEYS), values))
def test_odd_values_anywhere_are_refused_or_trained_from(path, odd):
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(odd, text)
    try:
        read = project(tree(**{path: text.getvalue().encode("utf-8", "surrogatepass")}))
        assert read.counts
        read.document()
    except BundleInvalid:
        pass


def test_a_config_by_itself_is_held_to_the_same():
    with pytest.raises(BundleInvalid, match=r"config:1: "):
        bundles.parse_config("pipeline: [")
    with pytest.raises(BundleInvalid, match="config:1: The file must be a mapping"):
        bundles.parse_config("- a")
