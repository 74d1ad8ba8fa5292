"""One program of `up`, as a container runs it."""

import os
import subprocess
import sys
import time

import pytest
from celery import Celery

from controlplane import alive, programs, run, waits
from controlplane.beat import Scheduler
from tests import services


@pytest.mark.parametrize("name", ["web", "training", "evaluation", "default", "beat"])
def test_a_program_is_run_as_up_runs_it(name):
    command, variables = run.chosen([name])
    program = next(each for each in programs.all_of("0.0.0.0", 5002, "http://localhost:5002") if each.name == name)  # noqa: S104
    assert (command, variables) == (program.command, program.environment)


@pytest.mark.parametrize("arguments", [["check", "--deploy"], ["web", "--help"], []])
def test_any_other_word_is_a_command_of_manage_py(arguments):
    assert run.chosen(arguments) == ([sys.executable, "manage.py", *arguments], {})


def test_the_process_becomes_what_it_runs(tmp_path):
    variables = os.environ | {"CONTROLPLANE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "controlplane.run", "check"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert "no issues" in done.stdout


def test_each_step_of_beat_is_seen(settings, tmp_path):
    ticks = tmp_path / "ticks"
    settings.BEAT_TICKS_FILE = str(ticks)
    Scheduler(app=Celery("steps"), lazy=True).tick()
    assert alive.beat()
    long_ago = time.time() - alive.LONGEST_STEP - 1
    os.utime(ticks, (long_ago, long_ago))
    assert not alive.beat()


def test_beat_needs_no_such_file(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings.BEAT_TICKS_FILE = ""
    Scheduler(app=Celery("steps"), lazy=True).tick()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_waits_on_purpose_is_alive_as_long_as_it_says_so(tmp_path, settings):
    settings.CONTROLPLANE_HOME = tmp_path
    assert not waits.are_noted()
    waits.note()
    assert alive.worker("training")
    [file] = tmp_path.iterdir()
    long_ago = time.time() - waits.FRESH - 1
    os.utime(file, (long_ago, long_ago))
    assert not waits.are_noted()
    waits.over()
    waits.over()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.redis
def test_a_worker_that_does_not_run_is_not_alive_and_the_line_says_so(tmp_path):
    variables = os.environ | {"CONTROLPLANE_HOME": str(tmp_path), "BROKER_URL": services.REDIS_URL}
    assert said(variables) == "nobody does not answer.\n"


def test_a_worker_whose_broker_is_away_is_not_alive_and_nothing_secret_is_said(tmp_path):
    variables = os.environ | {"CONTROLPLANE_HOME": str(tmp_path), "BROKER_URL": "redis://:s3cret@127.0.0.1:1/0"}
    told = said(variables)
    assert told.startswith("nobody does not answer: ")
    assert "s3cret" not in told


def said(variables):
    """What the health check of a worker says that fails."""
    command = [sys.executable, "-c", "from controlplane import alive; alive.PATIENCE = 0.5; alive.main('nobody')"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr
