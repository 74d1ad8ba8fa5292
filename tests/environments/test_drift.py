"""What is declared, what the file has and what runs, compared."""

from datetime import UTC, datetime, timedelta

import pytest

from environments import drift
from environments.drift import Kind, Running, Service

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRODUCTION = Service("default", "production", "rasa-production", "aaa", replicas=2)
EXPERIMENTAL = Service("default", "experimental", "rasa-experimental", "bbb")


def container(service, number=1, *, definition=None, **state):
    labels = {
        drift.PROJECT: service.project,
        drift.ENVIRONMENT: service.environment,
        drift.SERVICE: service.name,
        drift.DEFINITION: service.definition if definition is None else definition,
    }
    known = {"state": "running", "started_at": NOW - timedelta(hours=3)}
    return Running(name=f"{service.name}-{number}", labels=labels, **(known | state))


def told(*running, declared=(PRODUCTION, EXPERIMENTAL)):
    return [(one.kind, one.service, one.command) for one in drift.on_engine(declared, running, NOW)]


BOTH = (container(PRODUCTION), container(PRODUCTION, 2))
ALL = (*BOTH, container(EXPERIMENTAL))


def test_what_runs_as_declared_is_no_finding():
    assert told(*ALL) == []


def test_an_upgrade_dropped_a_service():
    [finding] = drift.on_engine([PRODUCTION, EXPERIMENTAL], BOTH, NOW)
    assert (finding.kind, finding.service) == (Kind.MISSING, "rasa-experimental")
    assert "an upgrade dropped it" in finding.sentence
    assert finding.command == "manage.py compose --write && docker compose up -d rasa-experimental"
    assert str(finding).startswith("rasa-experimental: No container of experimental")


@pytest.mark.parametrize("state", ["exited", "created", "dead", "paused"])
def test_one_that_is_there_and_does_not_run_is_stopped(state):
    found = told(*BOTH, container(EXPERIMENTAL, state=state))
    assert found == [(Kind.STOPPED, "rasa-experimental", "docker compose up -d rasa-experimental")]


def test_a_replica_that_is_missing_or_stopped_is_told_by_their_number():
    for running in ([ALL[0], ALL[2]], [ALL[0], container(PRODUCTION, 2, state="exited"), ALL[2]]):
        [finding] = drift.on_engine([PRODUCTION, EXPERIMENTAL], running, NOW)
        assert (finding.kind, finding.sentence) == (Kind.FEWER, "1 of 2 replicas of production runs.")


def test_another_definition_is_stale():
    [finding] = drift.on_engine([EXPERIMENTAL], [container(EXPERIMENTAL, definition="old")], NOW)
    assert finding.kind is Kind.STALE
    assert finding.sentence.startswith("rasa-experimental-1 runs with another definition")
    assert told(container(EXPERIMENTAL, definition=""), declared=[EXPERIMENTAL])[0][0] is Kind.STALE


def test_a_service_of_nothing_declared_is_extra_while_it_runs():
    found = told(*BOTH, container(EXPERIMENTAL), declared=[PRODUCTION])
    assert found == [(Kind.EXTRA, "rasa-experimental", "docker compose up -d --remove-orphans")]
    assert told(*BOTH, container(EXPERIMENTAL, state="exited"), declared=[PRODUCTION]) == []


def test_more_replicas_than_declared_are_extra():
    assert told(*ALL, container(PRODUCTION, 3)) == [
        (Kind.EXTRA, "rasa-production", "docker compose up -d rasa-production")
    ]


def test_an_environment_of_the_same_name_in_another_project_is_another_one():
    banking = Service("banking", "production", "rasa-banking", "ccc")
    found = told(*BOTH, declared=[PRODUCTION, banking])
    assert [(kind, service) for kind, service, _ in found] == [(Kind.MISSING, "rasa-banking")]


def test_a_restart_in_a_loop_says_how_often_and_how_it_ended():
    looping = container(EXPERIMENTAL, state="restarting", restarts=7, exit_code=1)
    [finding] = drift.on_engine([EXPERIMENTAL], [looping], NOW)
    assert (finding.kind, finding.command) == (Kind.RESTARTING, "docker compose logs --tail 50 rasa-experimental")
    assert "7 times so far. It ended with the exit code 1 the last time." in finding.sentence
    for_memory = container(EXPERIMENTAL, state="restarting", restarts=7, exit_code=137, out_of_memory=True)
    assert "for want of memory" in drift.on_engine([EXPERIMENTAL], [for_memory], NOW)[0].sentence


@pytest.mark.parametrize(
    ("restarts", "seconds", "loops"), [(3, 20, True), (2, 20, False), (9, 119, True), (9, 121, False), (0, 5, False)]
)
def test_one_that_runs_between_two_restarts_is_in_the_loop_for_a_while(restarts, seconds, loops):
    one = container(EXPERIMENTAL, restarts=restarts, started_at=NOW - timedelta(seconds=seconds))
    assert bool(drift.on_engine([EXPERIMENTAL], [one], NOW)) == loops


def test_one_that_loops_is_not_said_to_be_missing_too():
    found = told(ALL[0], container(PRODUCTION, 2, state="restarting", restarts=4), ALL[2])
    assert [kind for kind, _, _ in found] == [Kind.RESTARTING]


def test_the_worst_comes_first():
    found = told(container(PRODUCTION, definition="old"), container(Service("default", "old", "rasa-old", "x")))
    assert [kind for kind, _, _ in found] == [Kind.MISSING, Kind.FEWER, Kind.STALE, Kind.EXTRA]


# The file


def test_a_file_as_declared_is_no_finding():
    assert drift.in_file([PRODUCTION, EXPERIMENTAL], [EXPERIMENTAL, PRODUCTION]) == []


def test_what_the_file_lacks_has_otherwise_and_has_too_much():
    other = Service("default", "production", "rasa-production", "zzz", replicas=2)
    left = Service("default", "old", "rasa-old", "yyy")
    found = drift.in_file([PRODUCTION, EXPERIMENTAL], [other, left])
    assert [(one.kind, one.service) for one in found] == [
        (Kind.MISSING, "rasa-experimental"),
        (Kind.STALE, "rasa-production"),
        (Kind.EXTRA, "rasa-old"),
    ]
    assert all(one.command.startswith("manage.py compose --write && docker compose up -d") for one in found)
