"""docker-compose.override.yml: what is written by hand stays byte by byte, or the file is refused with the reason."""

import pytest

from environments.compose import override
from environments.compose.generating import generate
from environments.compose.override import OverrideRefused
from tests.deploying import server, yaml

TWO = generate([server(), server("worker")])
ONE = generate([server()])
NONE = generate([])

BY_HAND = [
    "services:\n  mine: {image: a}\n",
    "# above\nservices:\n    # indented by four\n    mine:\n      image: !reset a\nvolumes:\n  data:\n",
    "volumes: {data: }\n",
    "volumes:\n  data:",
    "# a comment alone\n",
    "services:   # kept\n  mine:\n    image: a   # kept\n\n\n  yours: {image: b}\n# the end\n",
    "x-a: &a {image: b}\nservices:\n  mine:\n    <<: *a\n",
    "services:\n  mine: {image: a, environment: {A: 'ö ${X:-$$} #'}}\n",
]


def outside(text):
    """The lines that are not generated."""
    lines = text.splitlines(keepends=True)
    begin = next(number for number, line in enumerate(lines) if override.BEGIN in line)
    end = next(number for number, line in enumerate(lines) if override.END in line)
    return "".join(lines[:begin] + lines[end + 1 :])


def names(text):
    return list((yaml(text.replace("!reset", "")) or {}).get("services") or {})


def refused(text, generated=TWO, **how):
    with pytest.raises(OverrideRefused) as told:
        override.merge(text, generated, **how)
    return str(told.value)


def test_a_new_file_has_the_services_in_order():
    text = override.merge(None, TWO)
    assert names(text) == ["rasa-production", "rasa-worker"]
    assert override.merge("", TWO) == text
    assert "# environments.yml: rasa.production\n  rasa-production:" in text


def test_a_second_run_changes_no_byte():
    text = override.merge(None, TWO)
    assert override.merge(text, TWO) == text


@pytest.mark.parametrize("text", BY_HAND)
def test_what_is_written_by_hand_stays_byte_by_byte(text):
    merged = override.merge(text, TWO)
    assert outside(merged) in (text, f"{text}\n")
    assert set(names(merged)) - {"rasa-production", "rasa-worker"} == set(names(text))
    assert override.merge(merged, TWO) == merged
    fewer = override.merge(merged, ONE)
    assert "rasa-worker" not in names(fewer)
    assert outside(fewer) == outside(merged)
    assert override.merge(fewer, TWO) == merged


@pytest.mark.parametrize("text", BY_HAND)
def test_without_environments_what_is_written_by_hand_is_left(text):
    assert override.merge(text, NONE) == text
    emptied = override.merge(override.merge(text, TWO), NONE)
    assert outside(emptied) in (text, f"{text}\n")
    assert names(emptied) == names(text)


def test_services_of_ones_own_may_stand_below_the_generated_ones():
    text = override.merge(None, TWO) + "  mine:\n    image: a\n"
    assert names(override.merge(text, ONE)) == ["rasa-production", "mine"]
    assert override.merge(text, NONE).endswith("\n  mine:\n    image: a\n")
    assert names(override.merge(text, NONE)) == ["mine"]


def test_environments_that_are_elsewhere_are_told():
    text = override.merge(None, generate([server(), server("far", url="https://rasa.example.com")]))
    assert "# Not here: far, because its address is not one of http" in text


def test_a_service_of_the_same_name_by_hand_is_refused():
    told = refused("services:\n  rasa-worker: {image: mine}\n")
    assert "a service rasa-worker written by hand" in told
    assert "`deployment: {enabled: false}` of worker" in told


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda text: text.replace("unless-stopped", "no", 1), "was edited between the lines"),
        (lambda text: text.replace("\n", "\n# mine\n", 5), "was edited between the lines"),
        (lambda text: text.replace(f"{override.END}\n", ""), "is damaged"),
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda text: text + text, "is damaged"),
        (lambda text: text[text.index("services:") :], "is damaged"),
        (lambda text: "services: [\n" + text, "is no YAML that can be read"),
        (lambda text: "a text\n", "has no `key: value`"),
        (lambda text: "services: {mine: {image: a}}\n", "cannot be added to"),
        (lambda text: "services: {}\n", "cannot be added to"),
        (lambda text: "services: {mine: {image: a}}\nservices: {}\n", "stands twice"),
        (lambda text: "a: 1\n---\nb: 2\n", "is no YAML that can be read"),
    ],
)
def test_a_file_that_cannot_be_merged_is_refused(edit, reason):
    assert reason in refused(edit(override.merge(None, TWO)))


def test_what_was_edited_by_hand_is_dropped_only_on_demand():
    text = override.merge(None, TWO)
    edited = text.replace("unless-stopped", "no", 1)
    with pytest.raises(OverrideRefused) as told:
        override.merge(edited, TWO)
    assert told.value.edited
    assert override.merge(edited, TWO, overwrite=True) == text
