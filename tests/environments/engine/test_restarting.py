"""One replica is restarted, and never so many that nobody answers."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import AuditEvent
from accounts.problems import MissingGrant, NotFound
from environments.engine import looking, restarting
from environments.errors import EngineUnavailable, RestartRefused
from environments.models import Slot
from tests.environments.engine.conftest import LABELS

pytestmark = pytest.mark.django_db


def restart(environment, by, name="rasa-production-1"):
    return restarting.restart(environment=environment, name=name, by=by)


def restarts(engine):
    return [call for call in engine.calls if call.endswith("/restart")]


def over():
    """The time for which nobody else restarts anything has passed."""
    Slot.objects.filter(name__startswith="restart-").delete()
    looking.watcher().forget()


def test_one_of_two_that_serve_is_restarted_and_recorded(engine, serving, production, by_ana):
    restart(production, by_ana)
    assert restarts(engine) == [f"POST /containers/{serving[0].id}/restart"]
    event = AuditEvent.objects.get(action="replica.restart")
    assert (event.actor, event.object) == ("ana", "replica:production/rasa-production-1")
    assert event.after == {"container": serving[0].id[:12]}


def test_the_next_one_waits_until_the_first_one_serves_again(engine, serving, production, by_ana, polls, otter):
    restart(production, by_ana)
    with pytest.raises(RestartRefused, match="began less than 30 s ago"):
        restart(production, by_ana)
    over()
    with pytest.raises(RestartRefused, match=r"rasa-production-1 was started \d+ s ago and has not polled"):
        restart(production, by_ana, "rasa-production-2")
    polls(serving[0], "a-fresh-process")
    with pytest.raises(RestartRefused, match="rasa-production-1 does not serve the environment's model"):
        restart(production, by_ana, "rasa-production-2")
    polls(serving[0], f'"{otter.hash}"')
    restart(production, by_ana, "rasa-production-2")
    assert len(restarts(engine)) == 2


def test_one_that_does_not_serve_is_missed_by_nobody(engine, two, production, by_ana, polls, otter):
    """Neither proves anything yet, and the one that is restarted polled without a model."""
    polls(two[0])
    restart(production, by_ana)
    assert len(restarts(engine)) == 1


@pytest.mark.parametrize(
    ("state", "reason"),
    [({"status": "exited"}, "rasa-production-2 does not run"), ({"started_at": None}, "has not polled yet")],
)
def test_the_last_one_that_serves_is_not_restarted(engine, two, production, by_ana, polls, otter, state, reason):
    polls(two[0], f'"{otter.hash}"')
    for key, value in state.items():
        setattr(two[1], key, value)
    with pytest.raises(RestartRefused, match=reason):
        restart(production, by_ana)
    assert not restarts(engine)
    assert not AuditEvent.objects.filter(action="replica.restart").exists()


def test_a_replica_that_is_nowhere_to_be_seen_counts_as_one_that_does_not_serve(engine, serving, production, by_ana):
    production.replicas = 3
    production.save()
    with pytest.raises(RestartRefused, match="1 of the 3 replicas of production cannot be seen to serve"):
        restart(production, by_ana)


def test_a_replica_on_another_machine_counts_by_its_polls(engine, serving, production, by_ana, polls, otter):
    production.replicas = 3
    production.save()
    elsewhere = type("Elsewhere", (), {"id": "on-another-machine"})
    polls(elsewhere, f'"{otter.hash}"')
    restart(production, by_ana)
    assert len(restarts(engine)) == 1


def test_the_only_replica_may_be_restarted(engine, production, by_ana):
    engine.run("rasa-production-1", LABELS)
    restart(production, by_ana)
    assert len(restarts(engine)) == 1


def test_who_may_not_promote_may_not_restart(engine, serving, production, by_ben):
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        restart(production, by_ben)
    assert not restarts(engine)


def test_a_container_of_another_environment_is_none_of_this_one(engine, serving, experimental, by_ana):
    with pytest.raises(NotFound, match="no container rasa-production-1"):
        restart(experimental, by_ana)
    assert not restarts(engine)


def test_without_an_engine_there_is_nothing_to_restart(settings, production, by_ana):
    settings.CONTROLPLANE_DOCKER_URL = ""
    with pytest.raises(NotFound, match="asks no container engine"):
        restart(production, by_ana)


def test_an_engine_that_is_away_is_told(engine, serving, production, by_ana):
    engine.override = (503, b"")
    with pytest.raises(EngineUnavailable) as refused:
        restart(production, by_ana)
    assert refused.value.headers == {"Retry-After": "10"}


def test_one_that_was_started_by_somebody_else_counts_too(engine, serving, production, by_ana):
    """As by `docker restart`: the engine says since when it runs."""
    serving[1].started_at = datetime.now(UTC) + timedelta(seconds=1)
    with pytest.raises(RestartRefused, match="rasa-production-2 was started"):
        restart(production, by_ana)
