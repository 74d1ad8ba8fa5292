"""pipelines.yml: what is right is read whole, what is wrong is told with line, key and cure, all of it at once."""

import json

import pytest

from accounts.problems import InvalidFields
from environments import pipeline_spec
from environments.errors import PipelinesFileInvalid
from environments.gate_spec import Better, Entity, IntentLoss, MustPass
from environments.pipeline_parts import OWN_BRANCH, Config, Source, Triggers

FULL = """
pipelines:
  nightly:
    owner: ana
    source: {repository: bot, ref: main}
    configs:
      - config.yml
      - configs/diet.yml
      - language: en
        pipeline: [{name: WhitespaceTokenizer}, {name: KeywordIntentClassifier}]
    evaluate: split
    gates:
      minimum_f1: 0.8
      better_than_serving: {margin: 0.01, p_value: 0.1, test: bootstrap}
      intent_loss: {examples: 5, at_most: 0.1}
      must_pass:
        - {text: to Berlin please, intent: travel, entities: [{entity: city, value: Berlin}], story: [utter_ok]}
        - {text: hi, intent: greet}
    promote: production
    notify: false
    on: {schedule: 0 3 * * *, time_zone: Europe/Berlin, push: [main, release/*]}
projects:
  banking:
    pipelines:
      small: {owner: ben, enabled: false, on: {upload: true}}
"""


def errors_of(text):
    with pytest.raises(PipelinesFileInvalid) as refused:
        pipeline_spec.parse(text)
    return {key: told[0] for key, told in refused.value.errors.items()}


def pipeline_of(body, name="nightly"):
    return pipeline_spec.read_json(body, project="default", name=name)


def test_a_whole_file_is_read():
    declared = pipeline_spec.parse(FULL)
    assert declared.projects == ("default", "banking")
    nightly, small = declared.pipelines
    assert (nightly.project, nightly.name, nightly.line, nightly.owner) == ("default", "nightly", 3, "ana")
    assert nightly.source == Source("bot", "main")
    assert [config.title(place) for place, config in enumerate(nightly.configs)] == [
        "config.yml",
        "configs/diet.yml",
        "config 3",
    ]
    assert json.loads(nightly.configs[2].inline)["pipeline"][0] == {"name": "WhitespaceTokenizer"}
    assert nightly.gates.minimum_f1 == 0.8
    assert nightly.gates.better_than_serving == Better(0.01, 0.1, "bootstrap")
    assert nightly.gates.intent_loss == IntentLoss(5, 0.1)
    travel = MustPass("to Berlin please", "travel", (Entity("city", "Berlin"),), ("utter_ok",))
    assert nightly.gates.must_pass == (travel, MustPass("hi", "greet"))
    assert (nightly.promote, nightly.notify) == ("production", False)
    assert nightly.on == Triggers("0 3 * * *", "Europe/Berlin", ("main", "release/*"))
    assert (small.project, small.enabled, small.on.upload, small.configs) == ("banking", False, True, (Config(),))


def test_what_is_left_out_has_its_default():
    plain = pipeline_of({})
    assert plain.declaration() == {
        "source": "newest",
        "configs": ["config.yml"],
        "evaluate": None,
        "gates": {},
        "promote": None,
        "notify": True,
        "on": {},
    }
    assert plain.enabled


def test_a_declaration_reads_as_the_same_pipeline_again():
    for pipeline in (
        *pipeline_spec.parse(FULL).pipelines,
        pipeline_of({"source": {"repository": "bot"}, "on": {"push": True}}),
    ):
        again = pipeline_spec.read_json(pipeline.declaration(), project=pipeline.project, name=pipeline.name)
        assert again.declaration() == pipeline.declaration()


def test_a_push_counts_by_itself_only_for_the_branch_of_the_source():
    assert pipeline_of({"source": {"repository": "bot"}, "on": {"push": True}}).on.push == (OWN_BRANCH,)


def test_what_its_steps_need():
    assert pipeline_spec.grants(pipeline_of({})) == ["training.write", "evaluations.write"]
    assert pipeline_spec.grants(pipeline_of({"promote": "staging"}))[-1] == "environments.staging.write"


def test_no_variable_of_the_process_is_expanded(monkeypatch):
    monkeypatch.setenv("SECRET", "the-secret")
    gates = {"must_pass": [{"text": "say ${SECRET}", "intent": "greet"}]}
    assert pipeline_of({"gates": gates}).gates.must_pass[0].text == "say ${SECRET}"


def test_every_error_is_told_at_once_with_its_line():
    errors = errors_of("""pipelines:
  Nightly:
    owner: ana
    gates: {minimum_f1: 2}
  b:
    ownr: ana
    configs: []
    on:
      schedule: 0 3 * *
""")
    assert set(errors) == {
        "pipelines.Nightly",
        "pipelines.Nightly.gates.minimum_f1",
        "pipelines.b.ownr",
        "pipelines.b.owner",
        "pipelines.b.configs",
        "pipelines.b.on.schedule",
    }
    assert errors["pipelines.b.ownr"] == "line 6: is an unknown key. Did you mean owner?"
    assert errors["pipelines.b.on.schedule"].startswith("line 9: ")


@pytest.mark.parametrize(
    ("body", "key", "told"),
    [
        ({"source": "latest"}, "source", "Write newest, or"),
        ({"source": {"ref": "main"}}, "source.repository", "is missing"),
        ({"source": {"repository": "Bot!"}}, "source.repository", "lower-case"),
        ({"source": {"repository": "bot", "ref": "--upload-pack=x"}}, "source.ref", "no branch or tag"),
        ({"configs": "config.yml"}, "configs", "is not a list"),
        ({"configs": ["config.yml", "config.yml"]}, "configs.1", "twice"),
        ({"configs": ["../config.yml"]}, "configs.0", "no path of a YAML file"),
        ({"configs": ["/etc/x.yml"]}, "configs.0", "no path of a YAML file"),
        ({"configs": [{"importers": [{"name": "mine"}]}]}, "configs.0", "importers"),
        ({"evaluate": "magic"}, "evaluate", "Write one of: data, split, cross_validation."),
        ({"promote": "Production"}, "promote", "environment name"),
        ({"notify": "yes"}, "notify", "true or false"),
        ({"gates": {"minimum_f1": True}}, "gates.minimum_f1", "number"),
        ({"gates": {"minimum_f1": -0.1}}, "gates.minimum_f1", "from 0 to 1"),
        ({"gates": {"better_than_serving": {}}}, "gates.better_than_serving", "promote names no environment"),
        (
            {"promote": "p", "evaluate": "cross_validation", "gates": {"intent_loss": {"at_most": 0.1}}},
            "gates.intent_loss",
            "not a model",
        ),
        ({"promote": "p", "gates": {"better_than_serving": {"p_value": 0}}}, "gates.better_than_serving.p_value", "0"),
        ({"promote": "p", "gates": {"better_than_serving": {"test": "t"}}}, "gates.better_than_serving.test", "mcn"),
        ({"gates": {"must_pass": [{"intent": "greet"}]}}, "gates.must_pass.0.text", "is missing"),
        ({"gates": {"must_pass": [{"text": "a\nb", "intent": "greet"}]}}, "gates.must_pass.0.text", "one line"),
        ({"gates": {"must_pass": [{"text": " ", "intent": "greet"}]}}, "gates.must_pass.0.text", "empty"),
        ({"gates": {"must_pass": []}}, "gates.must_pass", "leave it out"),
        ({"gates": {"must_pass": [{"text": "a", "intent": "b"}] * 2}}, "gates.must_pass", "twice"),
        ({"on": {"push": True}}, "on.push", "needs a git repository"),
        ({"source": {"repository": "bot"}, "on": {"upload": True}}, "on.upload", "Remove one of the two"),
        ({"on": {"time_zone": "UTC"}}, "on.time_zone", "no schedule"),
        ({"on": {"schedule": "0 3 * * *", "time_zone": "Mars/X"}}, "on.time_zone", "no time zone"),
        ({"nme": "x"}, "nme", "unknown key"),
        ({"enabled": 1}, "enabled", "true or false"),
    ],
)
def test_what_is_wrong_is_refused_by_its_key_with_the_cure(body, key, told):
    with pytest.raises(InvalidFields) as refused:
        pipeline_of(body)
    assert set(refused.value.errors) == {key}
    assert told in refused.value.errors[key][0]


@pytest.mark.parametrize(
    "text", ["a: [", "- x", "x", "a: \x07", "? [a]\n: b", "&a [*a]", "configs: &a [*a]", "configs: [&a {x: *a}]"]
)
def test_what_is_no_declaration_at_all_is_refused(text):
    with pytest.raises(InvalidFields):
        pipeline_spec.read_text(text, project="default", name="nightly")


def test_a_file_that_is_not_there_declares_nothing(tmp_path):
    assert pipeline_spec.load(tmp_path / "pipelines.yml") == pipeline_spec.Declaration((), ())


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(PipelinesFileInvalid, match="CONTROLPLANE_PIPELINES"):
        pipeline_spec.load(tmp_path)
    (tmp_path / "p.yml").write_bytes(b"pipelines: {}\n# \xff")
    with pytest.raises(PipelinesFileInvalid, match="line 2: is not UTF-8"):
        pipeline_spec.load(tmp_path / "p.yml")


@pytest.mark.parametrize("text", ["", "{}", "projects: {}", "pipelines: []", "projects: {default: {pipelines: {}}}"])
def test_the_file_names_its_pipelines(text):
    assert "pipelines" in errors_of(text)
