"""Test a model, compare two on the same examples."""

import time

import pytest


@pytest.fixture
def trained(cpctl, project_folder):
    """The names of two models, each from the same data."""
    names = [
        cpctl("train", project_folder, "--wait", "--name", f"{name}-{time.time_ns()}") for name in ("otter", "heron")
    ]
    assert [done.status for done in names] == [0, 0], names
    return [done.out.strip() for done in names]


def test_a_test_is_waited_for_and_its_figures_are_shown(cpctl, trained):
    done = cpctl("evaluate", trained[0], "--wait")
    assert done.status == 0, done.err
    assert f"{trained[0]} on" in done.out
    assert "intents" in done.out
    document = cpctl("evaluate", trained[0], "--wait", "--json").json
    assert (document["status"], document["model"]) == ("succeeded", trained[0])
    assert document["intents"]["f1"] <= 1


def test_two_models_are_compared_on_the_same_examples(cpctl, trained, worker_rasa):
    worker_rasa.predict = lambda url, text, intent: intent
    first = cpctl("evaluate", trained[0], "--wait", "--json").json
    worker_rasa.predict = lambda url, text, intent: "bye"
    try:
        second = cpctl("evaluate", trained[1], "--wait", "--json").json
    finally:
        worker_rasa.predict = lambda url, text, intent: intent
    assert first["test_hash"] == second["test_hash"]
    done = cpctl("compare", trained[0], trained[1])
    assert done.status == 0, done.err
    assert f"{trained[0]} → {trained[1]}" in done.out
    assert "right before, wrong now: " in done.out
    assert "greet" in done.out
    document = cpctl("compare", first["id"], second["id"], "--json").json
    assert document["f1"]["a"] > document["f1"]["b"]


def test_without_waiting_it_says_how_to_go_on(cpctl, trained):
    done = cpctl("evaluate", trained[0])
    assert done.status == 0
    assert "cpctl jobs wait" in done.err


def test_what_was_not_tested_alike_is_not_compared(cpctl, archive):
    cpctl("models", "push", archive("untested-otter"))
    done = cpctl("compare", "untested-otter", "untested-otter")
    assert done.status == 1
    assert done.err.count("\n") == 1


def test_a_model_that_is_not_there_is_refused(cpctl):
    assert cpctl("evaluate", "nobody", "--wait").status == 1
