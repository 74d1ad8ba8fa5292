"""The files that people copy into their CI are valid, and every `cpctl` in them is one that it understands."""

import re
import shlex

import pytest
from ruamel.yaml import YAML

from cpctl.cli import parser
from tests import live

FOLDER = live.ROOT / "docs" / "ci"
COMMAND = re.compile(r"(?:^|[;&|(]\s*)(cpctl [^\n)&|]*)", re.MULTILINE)


def load(name):
    return YAML(typ="safe", pure=True).load(FOLDER / name)


def github_steps():
    return [step for job in load("github-actions.yml")["jobs"].values() for step in job["steps"]]


def gitlab_jobs():
    document = load("gitlab-ci.yml")
    return {name: job for name, job in document.items() if name not in ("stages", "default")}


def scripts():
    yield from (step["run"] for step in github_steps() if "run" in step)
    for job in gitlab_jobs().values():
        yield from job["script"]


def in_documents():
    """What the pages show indented, or between backticks with a value for each word in capitals."""
    for name in ("cli.md", "ci.md"):
        for line in (FOLDER.parent / name).read_text().splitlines():
            if line.startswith("    "):
                yield line.strip()


def commands(texts):
    return [found for text in texts for found in COMMAND.findall(text)]


@pytest.mark.parametrize("command", [*commands(scripts()), *commands(in_documents())])
def test_each_command_is_understood(command):
    words = shlex.split(command.partition(" < ")[0])
    assert parser().parse_args(words[1:]).run


def test_there_are_commands_to_look_at():
    assert len(commands(scripts())) >= 6
    assert len(commands(in_documents())) >= 4


def test_github_runs_what_it_names():
    document = load("github-actions.yml")
    # YAML 1.1 reads the key `on` as true; GitHub does not.
    assert set(document) >= {"name", "permissions", "concurrency", "jobs"}
    for job in document["jobs"].values():
        assert job["runs-on"]
        assert all("uses" in step or "run" in step for step in job["steps"])
        assert set(job.get("needs", "train").split()) <= set(document["jobs"])
    assert document["jobs"]["production"]["environment"] == "production"


def test_gitlab_runs_what_it_names():
    document = load("gitlab-ci.yml")
    assert [job["stage"] for job in gitlab_jobs().values()] == document["stages"]
    assert gitlab_jobs()["production"]["when"] == "manual"


def test_the_token_is_never_on_a_command_line_and_only_where_it_is_needed():
    for text in scripts():
        assert "TOKEN" not in text
    for step in github_steps():
        assert ("CPCTL_TOKEN" in step.get("env", {})) == ("cpctl " in step.get("run", "").replace("pip install", ""))


def test_every_command_that_they_run_waits_for_its_end():
    assert all("--wait" in command for command in commands(scripts()))
