"""The one sentence claims no more than was proved, and names what is wrong, since when, and what cures it."""

from datetime import UTC, datetime, timedelta

import pytest

from environments.models import Environment, Promotion, TrainedModel
from environments.pages import verdicts
from environments.pages.verdicts import Tone
from environments.serving.members import ReplicaReport
from environments.serving.reports import Counts, EnvironmentReport
from environments.states import Health, Kind, PromotionStatus, ReplicaState, Sync

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DECIDED = NOW - timedelta(days=2)
ENVIRONMENT = Environment(name="production", kind=Kind.SERVING, protected=True)
MODEL = TrainedModel(name="gritty-schema")


def replica(number: int, state: ReplicaState = ReplicaState.SERVING, *, proved: bool = True, ago: float = 4):
    heard = NOW - timedelta(seconds=ago)
    return ReplicaReport(
        name=f"rasa-{number}",
        address="",
        state=state,
        model="gritty-schema" if proved else None,
        since=heard if state == ReplicaState.SILENT else DECIDED,
        last_poll_at=heard,
        downloads=1,
        interval=2.0,
        reason="" if proved else "It did not load it.",
        proved=proved,
        proved_at=DECIDED if proved else None,
    )


def seen(*members, sync=Sync.IN_SYNC, health=Health.HEALTHY, model=MODEL, status="succeeded", reasons=(), **more):
    environment = more.pop("environment", ENVIRONMENT)
    states = [member.state for member in members]
    counts = {state.value: states.count(state) for state in ReplicaState}
    return EnvironmentReport(
        environment=environment,
        model=model,
        sync=sync,
        health=health,
        replicas=Counts(expected=3, live=len(members) - counts["silent"], **counts),
        since=DECIDED,
        promoted_by="ana",
        reasons=reasons,
        members=members,
        promotion=Promotion(status=status),
        interval=2.0,
    )


def verdict(report, *, may=True):
    return verdicts.judge(report, may_promote=may, may_go_back=may)


ALL = tuple(replica(number, ago=3 + number) for number in (1, 2, 3))


def test_all_is_well_with_the_newest_proof():
    found = verdict(seen(*ALL))
    assert found.said == "production: 3 of 3 replicas proved gritty-schema"
    assert (found.tone, found.short, found.cure) == (Tone.GOOD, "in sync 3/3", None)
    assert found.proof == NOW - timedelta(seconds=4)


@pytest.mark.parametrize("sync", [sync for sync in Sync if sync != Sync.IN_SYNC])
@pytest.mark.parametrize("health", Health)
@pytest.mark.parametrize("status", PromotionStatus)
@pytest.mark.parametrize("members", [(), ALL])
def test_nothing_but_in_sync_is_good(sync, health, status, members):
    assert verdict(seen(*members, sync=sync, health=health, status=status)).tone != Tone.GOOD


@pytest.mark.parametrize("health", [health for health in Health if health != Health.HEALTHY])
def test_in_sync_but_not_healthy_is_not_good(health):
    assert verdict(seen(*ALL, health=health, reasons=("It does not answer.",))).tone != Tone.GOOD


def test_what_nobody_heard_is_unproven_and_leads_to_connecting():
    found = verdict(seen(sync=Sync.UNKNOWN, health=Health.UNKNOWN))
    assert found.tone == Tone.UNPROVEN
    assert found.said == "production: not proved yet that it serves gritty-schema"
    assert found.cure == verdicts.CONNECT


def test_a_promotion_that_nobody_proved_is_unproven_not_wrong():
    found = verdict(seen(sync=Sync.OUT_OF_SYNC, health=Health.UNKNOWN, status="unproven"))
    assert (found.tone, found.short) == (Tone.UNPROVEN, "unproven")


def test_a_server_that_is_gone_is_wrong_though_nothing_was_proved():
    found = verdict(seen(sync=Sync.OUT_OF_SYNC, health=Health.UNREACHABLE, status="unproven"))
    assert found.tone == Tone.BAD


def test_a_silent_replica_tells_since_when():
    late = replica(3, ReplicaState.SILENT, ago=600)
    found = verdict(seen(*ALL[:2], late, sync=Sync.OUT_OF_SYNC, health=Health.DEGRADED, reasons=("rasa-3: no poll.",)))
    assert found.said == "production: out of sync, 2 of 3 replicas proved gritty-schema"
    assert found.since == NOW - timedelta(seconds=600)
    assert (found.reason, found.cure) == ("rasa-3: no poll.", verdicts.REPLICAS)


def test_a_model_that_no_replica_loads_is_cured_by_going_back():
    stuck = [replica(number, ReplicaState.STUCK, proved=False) for number in (1, 2, 3)]
    report = seen(*stuck, sync=Sync.OUT_OF_SYNC, health=Health.DEGRADED)
    assert verdict(report).cure == verdicts.ROLL_BACK
    assert verdict(report, may=False).cure == verdicts.RETRY


def test_one_stuck_replica_of_three_is_tried_again():
    stuck = replica(3, ReplicaState.STUCK, proved=False)
    assert verdict(seen(*ALL[:2], stuck, sync=Sync.OUT_OF_SYNC)).cure == verdicts.RETRY


def test_a_rollout_says_how_far_it_is():
    loading = replica(3, ReplicaState.LOADING, proved=False)
    found = verdict(seen(*ALL[:2], loading, sync=Sync.ROLLING_OUT))
    assert found.said == "production: gritty-schema is rolling out: 2 of 3 replicas proved it"
    assert found.tone == Tone.BUSY


@pytest.mark.parametrize("sync", Sync)
def test_after_a_restore_nothing_is_good_before_somebody_decided(sync):
    frozen = Environment(name="production", kind=Kind.SERVING, frozen_at=NOW)
    found = verdict(seen(*ALL, environment=frozen, sync=sync, reasons=("Frozen: it was restored.",)))
    assert found.said == "production: frozen, the backup says gritty-schema"
    assert (found.tone, found.since, found.cure) == (Tone.DEGRADED, NOW, verdicts.DECIDE)
    nothing = verdict(seen(environment=frozen, model=None, sync=sync))
    assert nothing.said == "production: frozen, the backup says no model"


def test_without_a_model_there_is_nothing_to_prove():
    assert verdict(seen(model=None, sync=Sync.UNKNOWN)).cure == verdicts.PROMOTE
    assert verdict(seen(model=None, sync=Sync.UNKNOWN), may=False).cure is None
    assert verdict(seen(*ALL, model=None, sync=Sync.OUT_OF_SYNC)).tone == Tone.BAD


def test_the_worst_comes_first_and_of_equals_the_protected_one():
    other = Environment(name="experimental", kind=Kind.SERVING)
    good, fine = verdict(seen(*ALL, environment=other)), verdict(seen(*ALL))
    worse = verdict(seen(environment=other, sync=Sync.OUT_OF_SYNC, health=Health.UNREACHABLE))
    assert verdicts.headline([good, fine]) is fine
    assert verdicts.headline([fine, worse]) is worse
    assert verdicts.headline([]) is None
