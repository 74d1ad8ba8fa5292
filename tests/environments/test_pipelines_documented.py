"""The example in docs/pipelines.md is a file that can be applied."""

import re

from controlplane.settings import BASE_DIR
from environments import gate_spec, pipeline_parts, pipeline_spec

TEXT = (BASE_DIR / "docs" / "pipelines.md").read_text()


def test_the_example_is_valid_and_shows_every_key():
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (nightly,) = pipeline_spec.parse(example).pipelines
    assert len(nightly.configs) == 3
    assert nightly.gates.must_pass[0].story == ("utter_ask_date",)
    for key in (*pipeline_spec.KEYS, "repository", "ref", "schedule", "time_zone", "push", "upload"):
        assert re.search(rf"^\s*(# )?{key}:|{{.*\b{key}:", example, re.MULTILINE), key


def test_the_defaults_are_those_that_it_tells():
    assert (gate_spec.Better().margin, gate_spec.Better().p_value, gate_spec.Better().test) == (0.0, 0.05, "mcnemar")
    assert (gate_spec.IntentLoss().examples, gate_spec.IntentLoss().at_most) == (10, 0.05)
    assert pipeline_parts.Triggers().time_zone == "UTC"
