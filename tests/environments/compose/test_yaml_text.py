"""YAML in block style: whatever the values are, every reader has them back."""

import string

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from environments.compose import yaml_text
from tests.deploying import yaml

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
HARD = st.sampled_from(
    ["", " ", "~", "null", "Yes", "off", "1:30", "0x1F", "1e3", ".inf", "=", "<<", "- a", "a: b", "#"]
)
TEXTS = st.one_of(st.text(LETTERS), HARD, st.text(string.printable, max_size=8))
SCALARS = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1))
@settings(max_examples=60)
def test_every_reader_of_yaml_has_the_values_back(values):
    text = yaml_text.emit(values, {})
    assert yaml(text) == values
    assert pyyaml.safe_load(text) == values


@pytest.mark.parametrize("value", ["3.6.21", "a#b", "x y", "yes", "12s3", "1.5g", "-1", "--", "a: b", "@x", "é"])
def test_what_some_reader_takes_for_something_else_is_quoted(value):
    assert yaml_text.scalar(value).startswith('"')


@pytest.mark.parametrize("value", ["rasa-production", "/etc/rasa", "--port", "-c", "15s", "http://web:5002/api", "2g"])
def test_what_every_reader_takes_for_a_text_stands_plain(value):
    assert yaml_text.scalar(value) == value
    assert pyyaml.safe_load(f"a: {value}") == {"a": value}


def test_comments_stand_above_what_they_tell_of():
    text = yaml_text.emit({"a": {"b": [1]}}, {("a",): "first\nsecond", ("a", "b"): "third"}, indent=2)
    assert text == "  # first\n  # second\n  a:\n    # third\n    b:\n      - 1\n"


def test_a_program_stands_line_by_line():
    text = yaml_text.emit({"a": ["b", yaml_text.Program("one\n  two: #\n")]}, {})
    assert text == "a:\n  - b\n  - |\n    one\n      two: #\n"
    assert yaml(text) == {"a": ["b", "one\n  two: #\n"]}
