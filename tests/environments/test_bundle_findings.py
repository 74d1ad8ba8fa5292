"""What a bundle is refused for, by file and line, and what it is only warned of. Real Rasa judges the same projects:
what it trains is never refused."""

import io
import json
import subprocess

import pytest

from environments import bundles
from environments.bundles import loading
from environments.errors import BundleInvalid
from environments.packing import Limits
from tests import services
from tests.bundle_cases import CONFIG, DOMAIN, REFUSED, TAKEN, WARNED, change, rule
from tests.projects import zipped


def read(files) -> bundles.Project:
    return bundles.read(io.BytesIO(zipped(files)), Limits())


def refusal(files) -> BundleInvalid:
    with pytest.raises(BundleInvalid) as refused:
        read(files)
    return refused.value


@pytest.mark.parametrize(("files", "where"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_trained_is_refused_by_file_and_line(files, where):
    (told,) = refusal(files).detail.splitlines()
    assert told.startswith(where), told
    assert told.endswith((".", "?"))


@pytest.mark.parametrize(("files", "sentence"), WARNED.values(), ids=WARNED)
def test_what_is_odd_is_taken_with_a_warning(files, sentence):
    found = read(files).warnings
    assert any(sentence in warning for warning in found), found
    assert all(".yml:" in warning for warning in found)


@pytest.mark.parametrize("files", TAKEN.values(), ids=TAKEN)
def test_what_is_right_is_taken_without_a_word(files):
    assert read(files).warnings == ()


def test_everything_that_is_wrong_is_told_at_once():
    files = rule("action: utter_nope")
    files |= {"data/more.yml": "nlu:\n- intnt: a\n- b\n", "data/bad.yml": "nlu: [\n", "data/fine.yml": "nlu: []"}
    told = refusal(files)
    assert [line.split(": ")[0] for line in told.detail.splitlines()] == [
        "data/bad.yml:1",
        "data/more.yml:2",
        "data/more.yml:3",
        "data/stories.yml:5",
    ]
    assert told.data["problems"] == told.detail.splitlines()


def test_of_a_great_many_the_first_are_told_and_the_rest_counted():
    told = refusal({"config.yml": CONFIG, "domain.yml": DOMAIN, "data/nlu.yml": "nlu:\n" + "- a\n" * 3000})
    assert len(told.detail.splitlines()) == 21
    assert told.detail.endswith("And 2980 more.")


def test_a_domain_that_cannot_be_read_makes_no_name_unknown():
    files = change("domain", "intents: [greet, bye]", "intents: [")
    assert [line.split(":")[0] for line in refusal(files).detail.splitlines()] == ["domain.yml"]


def test_a_project_with_flows_is_only_warned_of_what_rasa_pro_may_know():
    files = rule("action: action_hangup") | {"data/flows.yml": "flows: {pay: {steps: []}}"}
    found = read(files)
    assert found.counts["flows"] == 1
    assert "The action action_hangup is not in the domain" in found.warnings[0]


def test_flows_alone_are_taken_with_a_slot_that_a_model_fills():
    domain = "slots:\n  amount:\n    type: float\n"
    found = read({"config.yml": CONFIG, "domain.yml": domain, "data/flows.yml": "flows: {pay: {steps: []}}"})
    assert found.warnings == ()


def test_the_lines_of_a_file_are_found():
    source = loading.load("a.yml", b"nlu:\n- intent: x\n  examples: |\n    - a\n- intent: y\n")
    assert source.at("nlu", 0, "examples") == "a.yml:3"
    assert source.at("nlu", 1) == source.at("nlu", 1, "gone") == "a.yml:5"
    assert source.at("gone") == "a.yml:1"


@pytest.mark.rasa
def test_real_rasa_agrees():
    projects = {f"refused, {name}": files for name, (files, _) in REFUSED.items()}
    projects |= {f"warned, {name}": files for name, (files, _) in WARNED.items()}
    projects |= {f"taken, {name}": files for name, files in TAKEN.items()}
    done = subprocess.run(
        [services.RASA_HOME / "bin/python", "tests/rasa_trains.py"],
        input=json.dumps(projects),
        capture_output=True,
        text=True,
        check=True,
    )
    ends = json.loads(done.stdout)
    trained = {name for name, error in ends.items() if not error}
    assert not {name for name in trained if name.startswith("refused")}
    assert not {name: error for name, error in ends.items() if error and not name.startswith("refused")}
