"""Trouble as the reports show it: what counts, what follows from what, and what is none."""

from datetime import timedelta

import pytest

from environments.actions import promotions
from environments.models import Alert, Delivery, Listening, Promotion
from environments.serving import alerting
from environments.serving.alerting import finding_of
from environments.serving.reports import report
from environments.states import Event
from tests.environments.serving.test_reports import NOW, answers, replica
from tests.factories import EnvironmentFactory, WebhookFactory


@pytest.fixture(autouse=True)
def listens(db):
    """Polls have been heard for an hour."""
    return Listening.objects.create(since=NOW - timedelta(hours=1), until=NOW)


@pytest.fixture
def served(production, otter, by_ana):
    """production should serve brisk-otter, which was promoted long ago."""
    promotion = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    Promotion.objects.filter(pk=promotion.pk).update(created_at=NOW - timedelta(hours=2), status="succeeded")
    return production


def events(environment) -> list[tuple[str, str]]:
    return [(trouble.event.value, trouble.subject) for trouble in finding(environment).troubles]


def finding(environment):
    return finding_of(report(environment, NOW))


def test_what_is_in_sync_is_in_no_trouble(served, otter):
    replica(served, model=otter, proved=True)
    answers(served, otter.model_id)
    assert (events(served), finding(served).unknown) == ([], False)


def test_a_silent_replica_and_what_follows_from_it(served, otter):
    served.replicas = 2
    served.save()
    replica(served, "rasa-1", model=otter, proved=True)
    replica(served, "rasa-2", model=otter, proved=True, ago=600)
    answers(served, otter.model_id)
    assert events(served) == [("replica.silent", "rasa-2"), ("environment.out_of_sync", "")]
    assert "It should serve brisk-otter." in finding(served).troubles[1].detail


def test_a_replica_that_was_forgotten_is_not_well_while_its_place_is_empty(served, otter):
    served.replicas = 2
    served.save()
    replica(served, "rasa-1", model=otter, proved=True)
    answers(served, otter.model_id)
    seen = finding(served)
    assert Event.REPLICA_SILENT in seen.kept
    assert seen.well == {"rasa-1"}
    replica(served, "rasa-3", model=otter, proved=True)
    assert finding(served).kept == frozenset()


def test_a_stuck_a_foreign_and_an_empty_replica(served, otter, heron):
    replica(served, "rasa-1", model=None, target=otter, stuck_since=NOW.timestamp())
    replica(served, "rasa-2", model=heron, proved=True, target=otter)
    answers(served)
    assert events(served) == [
        ("replica.stuck", "rasa-1"),
        ("replica.foreign", "rasa-2"),
        ("environment.out_of_sync", ""),
    ]


def test_a_replica_without_a_model_is_trouble_where_there_is_one_for_it(served, otter, production):
    served.pulls_once = True
    served.save()
    answers(served)
    assert ("replica.empty", "rasa-production:5005") in events(served)


def test_a_replica_without_a_model_is_none_where_none_was_promoted(production):
    replica(production)
    answers(production)
    assert events(production) == []


def test_an_environment_that_is_unreachable_is_told_as_that_alone(served, otter):
    replica(served, "rasa-1", model=otter, proved=True, ago=600)
    answers(served, ago=1, failures=5, error="No connection could be made.")
    assert events(served) == [("environment.unreachable", "")]
    assert "does not answer" in finding(served).troubles[0].detail
    assert Event.REPLICA_SILENT in finding(served).kept


def test_it_is_told_also_where_nothing_was_promoted(production):
    answers(production, ago=1, failures=5)
    assert events(production) == [("environment.unreachable", "")]


def test_a_rollout_in_its_time_is_no_trouble(served, otter, heron, by_ana):
    replica(served, "rasa-1", model=otter, proved=True)
    answers(served, otter.model_id)
    promotion = promotions.promote(environment=served, model=heron, by=by_ana).promotion
    Promotion.objects.filter(pk=promotion.pk).update(created_at=NOW - timedelta(seconds=30))
    seen = finding(served)
    assert report(served, NOW).sync == "rolling_out"
    assert (seen.troubles, seen.unknown) == ((), False)
    assert Event.ENVIRONMENT_OUT_OF_SYNC in seen.kept


def test_after_a_restart_nothing_is_known(served, otter, listens):
    replica(served, "rasa-1", model=otter, proved=True, ago=600)
    listens.since = NOW - timedelta(seconds=2)
    listens.save()
    assert finding(served).unknown


def test_without_anybody_who_listens_nothing_is_known(served, otter, listens):
    """A worker whose web process is away sees silence, and it means nothing."""
    replica(served, "rasa-1", model=otter, proved=True, ago=600)
    listens.until = NOW - timedelta(minutes=10)
    listens.save()
    answers(served, ago=1, failures=5)
    assert finding(served).unknown


# Looking


def look_for(minutes: float, start=NOW) -> int:
    """Look each ten seconds, while polls are heard and the servers do as they did."""
    told = 0
    for step in range(round(minutes * 6) + 1):
        now = start + timedelta(seconds=10 * step)
        Listening.objects.update(until=now)
        told += alerting.look_if_due(now)
    return told


def test_trouble_that_lasts_is_told_and_the_setting_says_how_long(served, otter, settings):
    settings.ALERT_AFTER_MINUTES = 2
    WebhookFactory(events=["replica.silent", "environment.unreachable"])
    replica(served, "rasa-1", model=otter, proved=True, ago=600)
    assert look_for(1.5) == 0
    assert look_for(1, NOW + timedelta(minutes=2)) == 1
    assert Delivery.objects.get().payload["subject"] == "production is unreachable"


def test_of_several_clocks_one_looks(served, otter, settings):
    settings.ALERT_AFTER_MINUTES = 0.01
    replica(served, "rasa-1", model=otter, proved=True, ago=600)
    WebhookFactory()
    alerting.look_if_due(NOW)
    later = NOW + timedelta(seconds=10)
    assert alerting.look_if_due(later) == 1
    assert alerting.look_if_due(later) == 0


def test_a_long_time_without_a_look_begins_anew(served, otter):
    WebhookFactory()
    replica(served, "rasa-1", model=otter, proved=True, ago=600)
    look_for(1)
    assert look_for(1, NOW + timedelta(hours=1)) == 0
    assert Alert.objects.get().since > NOW + timedelta(minutes=50)


def test_two_hundred_environments_cost_no_more_queries_than_two(project, otter, django_assert_max_num_queries):
    for number in range(200):
        one = EnvironmentFactory(name=f"place-{number}", url="")
        replica(one, ago=600)
    with django_assert_max_num_queries(40):
        alerting.look_if_due(NOW)
    assert Alert.objects.count() == 200
    with django_assert_max_num_queries(40):
        alerting.look_if_due(NOW + timedelta(seconds=11))
