"""docs/operations.md promises what happens on a bad day: each row is a test, and each bad day has a row."""

import ast
import re

import pytest

from tests.live import ROOT

PAGE = ROOT / "docs" / "operations.md"
HEAD = "| what breaks | what a person sees | what heals by itself | what to do | test |"


def rows():
    """The cells of each row of the tables of what can break."""
    _, _, tables = PAGE.read_text().partition("## What can break")
    lines = [line for line in tables.splitlines() if line.startswith("| ") and line != HEAD]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def named(row):
    """The tests that a row names: file and function."""
    return re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", row[-1])


def functions(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_there_are_rows():
    assert len(rows()) > 30


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_each_row_is_a_test(row):
    assert len(row) == 5
    assert named(row)
    for file, function in named(row):
        path = ROOT / "tests" / file
        assert path.exists(), file
        assert not function or function in functions(path), function


def test_each_bad_day_has_a_row():
    files = {f"bad_days/{path.name}" for path in (ROOT / "tests" / "bad_days").glob("test_*.py")}
    assert files == {file for row in rows() for file, _ in named(row) if file.startswith("bad_days/")}
