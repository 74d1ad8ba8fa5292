"""Sync and health: computed from the evidence, never claiming more than was proved."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from environments.actions import promotions
from environments.decisions import Record
from environments.models import Listening, Promotion, Replica, ServerCheck
from environments.serving import listening, settling
from environments.serving.reports import report, reports
from tests.factories import EnvironmentFactory

NOW = timezone.now()


@pytest.fixture(autouse=True)
def listens(db):
    """Polls have been heard for an hour."""
    Listening.objects.create(since=NOW - timedelta(hours=1), until=NOW)


def replica(environment, name="rasa-1", *, model=None, proved=False, target=None, ago=1.0, **record):
    """A replica that polled `ago` seconds before with the ETag of `model`, since the newest promotion."""
    polled = NOW.timestamp() - ago
    newest = environment.tag_owner.promotions.order_by("-pk").first()
    record = {"promotion": newest.pk if newest else None, "etag_polls": 1} | record
    sha256 = model.hash if model else None
    row = Record(
        etag=sha256 or "1" * 32,
        etag_since=polled,
        model=sha256,
        proved=sha256 if proved else None,
        proved_at=polled if proved else None,
        target=target.hash if target else sha256,
        polls=(polled,),
        **record,
    )
    return Replica.objects.create(
        environment=environment,
        name=name,
        address="10.0.0.1",
        first_seen_at=NOW - timedelta(hours=1),
        last_poll_at=NOW - timedelta(seconds=ago),
        record=row.as_json(),
    )


def answers(environment, model_id="", *, ago=0.0, failures=0, **fields):
    at = NOW - timedelta(seconds=ago)
    return ServerCheck.objects.create(
        environment=environment,
        due_at=NOW,
        checked_at=at,
        reached_at=at,
        model_since=at,
        model_id=model_id,
        failures=failures,
        version="3.6.21",
        minimum_compatible_version="3.6.21",
        **fields,
    )


@pytest.fixture
def served(production, otter, by_ana):
    """production should serve brisk-otter."""
    promotion = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    Promotion.objects.filter(pk=promotion.pk).update(created_at=NOW - timedelta(minutes=1))
    return production


def test_in_sync_when_every_expected_replica_proved_the_model(served, otter):
    replica(served, model=otter, proved=True)
    answers(served, otter.model_id)
    found = report(served, NOW)
    assert (found.sync, found.health, found.reasons) == ("in_sync", "healthy", ())
    assert (found.replicas.expected, found.replicas.live, found.replicas.serving) == (1, 1, 1)
    assert found.promoted_by == "ana"


def test_not_in_sync_while_a_live_replica_has_not_proved_it(served, otter, heron, by_ana):
    replica(served, "rasa-1", model=otter, proved=True)
    replica(served, "rasa-2", model=None, target=otter, loading_since=NOW.timestamp())
    found = report(served, NOW)
    assert found.sync == "rolling_out"
    assert found.replicas.loading == 1


def test_not_in_sync_with_fewer_replicas_than_expected(otter, by_ana, project):
    production = EnvironmentFactory(name="production", replicas=2)
    promotions.promote(environment=production, model=otter, by=by_ana)
    Promotion.objects.update(status="unproven")
    replica(production, model=otter, proved=True)
    answers(production, otter.model_id)
    found = report(production, NOW)
    assert found.sync == "out_of_sync"
    assert found.health == "degraded"
    assert "1 of 2 replicas missing." in found.reasons


def test_a_stuck_replica_makes_it_out_of_sync_and_says_why(served, otter, heron):
    otter.version = "3.5.0"
    otter.save()
    replica(served, model=heron, target=otter, stuck_since=NOW.timestamp())
    answers(served, heron.model_id)
    found = report(served, NOW)
    assert (found.sync, found.health, found.replicas.stuck) == ("out_of_sync", "degraded", 1)
    assert "trained with Rasa 3.5.0" in found.reasons[0]


def test_a_replica_with_a_model_that_was_never_promoted_here_is_foreign(served, heron, otter):
    replica(served, model=heron, proved=True, target=otter)
    found = report(served, NOW)
    assert found.replicas.foreign == 1
    assert "calm-heron, which was never promoted here" in found.reasons[0]


def test_silence_while_heartbeats_could_not_be_written_means_nothing(served, otter):
    replica(served, model=otter, proved=True, ago=12.0)
    Listening.objects.update(until=NOW - timedelta(seconds=10))
    assert report(served, NOW).members[0].state == "serving"


def test_silent_after_three_intervals(served, otter):
    replica(served, model=otter, proved=True, ago=31)
    answers(served, otter.model_id)
    found = report(served, NOW)
    assert (found.replicas.silent, found.replicas.live) == (1, 0)


def test_a_replica_that_loads_what_it_was_given_is_not_silent(served, otter):
    for ago in (119, 121):
        loading = {"etag_polls": 0, "loading_since": NOW.timestamp() - ago}
        replica(served, f"since-{ago}", target=otter, ago=ago, **loading)
    found = report(served, NOW)
    assert {member.name: member.state for member in found.members} == {"since-119": "loading", "since-121": "silent"}
    assert found.sync == "rolling_out"


def test_transfers_that_break_off_again_and_again_are_told(served, otter):
    replica(served, target=otter, broken=3, loading_since=NOW.timestamp())
    found = report(served, NOW)
    assert (found.members[0].state, found.health) == ("loading", "degraded")
    assert "rasa-1: 3 transfers of brisk-otter to it broke off" in found.reasons[0]


def test_what_was_proved_before_a_promotion_does_not_prove_it(served, otter, heron, by_ana):
    replica(served, model=otter, proved=True)
    promotions.promote(environment=served, model=heron, by=by_ana)
    promotions.promote(environment=served, model=otter, by=by_ana)
    assert report(served, NOW).sync == "rolling_out"
    settling.settle_all(NOW)
    assert promotions.latest(served).status == "rolling_out"


def test_being_stuck_ends_with_the_promotion_though_the_same_model_comes_back(served, otter, heron, by_ana):
    replica(served, model=heron, target=otter, stuck_since=NOW.timestamp())
    promotions.promote(environment=served, model=heron, by=by_ana)
    promotions.promote(environment=served, model=otter, by=by_ana)
    assert report(served, NOW).replicas.stuck == 0


def test_unreachable_only_when_neither_polls_nor_the_url_are_heard(served, otter):
    replica(served, model=otter, proved=True, ago=31)
    answers(served, failures=2, error="No connection could be made.")
    found = report(served, NOW)
    assert found.health == "unreachable"
    assert "No connection could be made." in found.reasons[0]


def test_damage_is_told_also_where_nobody_is_heard(served, otter):
    replica(served, model=otter, proved=True, ago=60)
    otter.damaged_at = NOW
    otter.save()
    found = report(served, NOW)
    assert found.health == "unreachable"
    assert "The stored archive of brisk-otter is damaged" in found.reasons[1]


def test_degraded_when_replicas_poll_but_the_url_does_not_answer(served, otter):
    replica(served, model=otter, proved=True)
    answers(served, failures=2, error="It did not answer in time.")
    found = report(served, NOW)
    assert (found.sync, found.health) == ("in_sync", "degraded")


def test_one_check_without_an_answer_is_no_news(served, otter):
    replica(served, model=otter, proved=True)
    answers(served, otter.model_id, failures=1)
    assert report(served, NOW).health == "healthy"


def test_a_server_that_refuses_the_declared_token_makes_it_degraded(served, otter):
    replica(served, model=otter, proved=True)
    answers(served, otter.model_id, error="It refuses the token that is declared for it.")
    found = report(served, NOW)
    assert (found.sync, found.health) == ("in_sync", "degraded")
    assert "refuses the token" in found.reasons[0]


def test_a_server_that_refused_the_declared_token_from_the_first_is_not_said_to_have_no_model(served, otter):
    replica(served, model=otter, proved=True, ago=20)
    answers(served, "", error="It refuses the token that is declared for it.")
    found = report(served, NOW)
    assert found.sync == "in_sync"
    assert not any("no model" in reason for reason in found.reasons)


def test_a_server_that_answers_but_never_polls_points_to_its_token(served):
    answers(served)
    found = report(served, NOW)
    assert found.health == "degraded"
    assert "token" in found.reasons[0]


def test_after_a_restart_everything_is_unknown_until_an_interval_has_passed(served, otter):
    replica(served, model=otter, proved=True, ago=300)
    Listening.objects.update(since=NOW - timedelta(seconds=5))
    found = report(served, NOW)
    assert (found.sync, found.health, found.reasons) == ("unknown", "unknown", ())


def test_after_a_restart_a_replica_that_is_a_little_late_is_no_alarm(served, otter):
    replica(served, model=otter, proved=True, ago=60)
    Listening.objects.update(since=NOW - timedelta(seconds=10.5))
    found = report(served, NOW)
    assert (found.sync, found.health, found.replicas.silent) == ("unknown", "unknown", 0)


def test_after_a_restart_three_intervals_of_silence_count(served, otter):
    replica(served, model=otter, proved=True, ago=60)
    Listening.objects.update(since=NOW - timedelta(seconds=30.5))
    found = report(served, NOW)
    assert (found.health, found.replicas.silent) == ("unreachable", 1)


def test_while_nobody_listens_everything_is_unknown(served, otter):
    replica(served, model=otter, proved=True)
    Listening.objects.update(until=NOW - timedelta(minutes=5))
    assert report(served, NOW).sync == "unknown"


def test_a_gap_in_listening_begins_it_anew(db):
    listening.note(NOW + timedelta(seconds=2))
    assert Listening.objects.get().since == NOW - timedelta(hours=1)
    listening.note(NOW + timedelta(minutes=1))
    assert Listening.objects.get().since == NOW + timedelta(minutes=1)


def test_a_server_that_changed_behind_our_back_is_told(served, otter):
    replica(served, model=otter, proved=True, ago=8)
    answers(served, model_id="")
    found = report(served, NOW)
    assert (found.sync, found.health) == ("out_of_sync", "degraded")
    assert "no model loaded" in found.reasons[0]


def test_status_of_a_replica_that_has_still_to_load_contradicts_nothing(served, otter, heron):
    replica(served, "rasa-1", model=otter, proved=True, ago=8)
    replica(served, "rasa-2", target=otter, loading_since=NOW.timestamp())
    answers(served, heron.model_id)
    found = report(served, NOW)
    assert (found.sync, found.health) == ("rolling_out", "healthy")


def test_status_from_before_the_proof_contradicts_nothing(served, otter):
    replica(served, model=otter, proved=True, ago=1)
    answers(served, model_id="of the model before", ago=5)
    assert report(served, NOW).sync == "in_sync"


def test_status_stands_in_for_a_server_that_pulls_only_at_its_start(otter, by_ana, project):
    production = EnvironmentFactory(name="production", pull_interval=None, pulls_once=True)
    promotions.promote(environment=production, model=otter, by=by_ana)
    answers(production, otter.model_id)
    Listening.objects.update(since=NOW - timedelta(hours=2))
    found = report(production, NOW)
    assert (found.sync, found.health) == ("in_sync", "healthy")
    assert found.members[0].name == "rasa-production:5005"


def test_a_server_that_does_not_poll_and_has_an_older_model_is_told_to_be_restarted(heron, otter, by_ana, project):
    production = EnvironmentFactory(name="production", pull_interval=None, pulls_once=True)
    promotions.promote(environment=production, model=heron, by=by_ana)
    promotions.promote(environment=production, model=otter, by=by_ana)
    Promotion.objects.update(status="succeeded")
    answers(production, heron.model_id)
    found = report(production, NOW)
    assert (found.sync, found.health) == ("out_of_sync", "healthy")
    assert "It serves calm-heron and does not poll. Restart it to give it brisk-otter." in found.reasons[0]


def test_what_a_server_said_before_nobody_asked_any_more_claims_nothing(otter, by_ana, project):
    production = EnvironmentFactory(name="production", pull_interval=None, pulls_once=True)
    promotions.promote(environment=production, model=otter, by=by_ana)
    answers(production, otter.model_id, ago=60)
    found = report(production, NOW)
    assert (found.sync, found.health) == ("unknown", "unknown")


def test_of_a_silent_server_that_nobody_asks_it_is_not_said_that_it_does_not_answer(served, otter):
    replica(served, model=otter, proved=True, ago=100)
    answers(served, otter.model_id, ago=100)
    found = report(served, NOW)
    assert found.health == "unreachable"
    assert "was not asked of late" in found.reasons[0]


def test_a_model_id_decides_only_among_models_of_the_environments_history(heron, otter, by_ana, project):
    production = EnvironmentFactory(name="production", pull_interval=None, pulls_once=True)
    promotions.promote(environment=production, model=otter, by=by_ana)
    answers(production, heron.model_id)
    found = report(production, NOW)
    assert found.members[0].state == "foreign"
    assert found.sync != "in_sync"


def test_promoted_to_nothing_it_is_out_of_sync_while_a_replica_still_serves(served, otter, by_ana):
    replica(served, model=otter, proved=True)
    promotions.promote(environment=served, model=None, by=by_ana)
    assert report(served, NOW).sync == "out_of_sync"


def test_promoted_to_nothing_a_silent_replica_may_still_serve(served, otter, heron, by_ana):
    served.replicas = 2
    served.save()
    promotions.promote(environment=served, model=None, by=by_ana)
    replica(served, "rasa-1", agreed=True)
    replica(served, "rasa-2", model=otter, proved=True, ago=60)
    assert report(served, NOW).sync == "unknown"


def test_a_follower_is_judged_by_the_tag_it_pulls(served, worker, otter):
    replica(worker, model=otter, proved=True)
    answers(worker, otter.model_id)
    found = report(worker, NOW)
    assert (found.sync, found.model.name) == ("in_sync", "brisk-otter")


def test_many_environments_cost_as_many_queries_as_one(served, otter, django_assert_num_queries):
    replica(served, model=otter, proved=True)
    environments = [served, *(EnvironmentFactory(name=f"test-{n}") for n in range(5))]
    for environment in environments[1:]:
        replica(environment, model=otter)
    with django_assert_num_queries(8):
        reports(environments, NOW)


def settled(environment):
    settling.settle_all(NOW)
    return Promotion.objects.get(environment=environment)


def test_a_promotion_succeeds_when_every_expected_replica_proved_it(served, otter):
    replica(served, model=otter, proved=True)
    promotion = settled(served)
    assert promotion.status == "succeeded"
    assert 50 < promotion.seconds < 61


def test_evidence_of_the_model_before_settles_no_promotion(served, otter, heron, by_ana):
    replica(served, model=otter, proved=True)
    before = report(served, NOW)
    promotion = promotions.promote(environment=served, model=heron, by=by_ana).promotion
    settling._settle(replace(before, promotion=promotion), NOW)
    promotion.refresh_from_db()
    assert promotion.status == "rolling_out"


def test_a_promotion_rolls_out_until_then(served, otter):
    replica(served, model=None, target=otter, loading_since=NOW.timestamp())
    assert settled(served).status == "rolling_out"


def test_a_stuck_promotion_failed_and_later_proof_still_counts(served, otter, heron):
    row = replica(served, model=heron, target=otter, stuck_since=NOW.timestamp())
    failed = settled(served)
    assert (failed.status, failed.error_code) == ("failed", "stuck")
    row.delete()
    replica(served, model=otter, proved=True)
    assert settled(served).status == "succeeded"


def test_without_proof_by_the_deadline_it_is_unproven_and_later_proof_still_counts(served, otter):
    Promotion.objects.update(created_at=NOW - timedelta(seconds=221))
    assert settled(served).status == "unproven"
    replica(served, model=otter, proved=True)
    found = settled(served)
    assert (found.status, found.error_code) == ("succeeded", "")


def test_a_promotion_is_not_unproven_while_nobody_listened(served, otter):
    Promotion.objects.update(created_at=NOW - timedelta(hours=2))
    Listening.objects.update(since=NOW - timedelta(seconds=5))
    assert settled(served).status == "rolling_out"


def test_a_silent_replica_is_forgotten_once_the_environment_does_without_it(served, otter):
    replica(served, "old", model=otter, proved=True, ago=60)
    replica(served, "new", model=otter, proved=True)
    settling.settle_all(NOW)
    assert [member.name for member in report(served, NOW).members] == ["new"]
    assert Replica.objects.count() == 2


def test_a_silent_replica_is_forgotten_after_an_hour(served, otter):
    replica(served, model=otter, proved=True, ago=3700)
    settling.settle_all(NOW)
    assert report(served, NOW).members == ()
