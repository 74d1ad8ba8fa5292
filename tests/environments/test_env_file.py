"""`.env`: what it sets, and the same with further variables, read alike by every version of compose."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments import env_file
from environments.env_file import ValueRefused
from tests import deploying

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
VALUES = st.one_of(st.text(LETTERS, min_size=1, max_size=16), st.text("'\"$\\ #=\t{}aé😀", min_size=1, max_size=12))


def test_what_is_set_is_found_however_it_is_written():
    text = "# A=0\nA=1\n export B = 'x y'\nC=\nD=\"z\"\nE=1 # no\nA=2\nnot a line\nF: 3\n"
    assert env_file.values(text) == {"A": "2", "B": "x y", "C": "", "D": "z", "E": "1", "F": "3"}


def test_what_is_missing_is_added_what_is_another_is_replaced_and_the_rest_stays():
    written = env_file.with_values("# mine\nA=1\n\nB=\nC='3'", {"A": "1", "B": "2", "C": "4", "D": "a b"})
    assert written.text == "# mine\nA=1\n\nB=2\nC=4\nD='a b'\n"
    assert (written.added, written.replaced) == (("D",), ("B", "C"))


def test_nothing_to_do_changes_no_byte():
    text = "A=1\r\n# é\nB='x'"
    assert env_file.with_values(text, {"A": "1", "B": "x"}).text == text


@pytest.mark.parametrize("value", ["it's", "a\\b", "a\nb", "${HOME}", "a\rb", "a\0"])
def test_a_value_that_versions_of_compose_read_differently_is_refused_and_not_repeated(value):
    with pytest.raises(ValueRefused) as refused:
        env_file.with_values("", {"A": value})
    assert value not in str(refused.value)
    assert "A holds" in str(refused.value)


@pytest.mark.compose
@pytest.mark.parametrize("version", sorted(deploying.versions()))
@given(values=st.lists(VALUES, min_size=20, max_size=40))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_compose_reads_back_what_was_written(version, values, tmp_path):
    text, wanted = "", {}
    for number, value in enumerate(values):
        try:
            text = env_file.with_values(text, {f"V{number}": value}).text
        except ValueRefused:
            continue
        wanted[f"V{number}"] = value
    (tmp_path / ".env").write_bytes(text.encode())
    variables = "".join(f"      {name}: ${{{name}}}\n" for name in wanted)
    (tmp_path / "docker-compose.yml").write_text(
        f"services:\n  web:\n    image: a\n    environment:\n      Z: z\n{variables}"
    )
    read = deploying.versions()[version].services(tmp_path)["web"]["environment"]
    assert {name: read[name] for name in wanted} == wanted
