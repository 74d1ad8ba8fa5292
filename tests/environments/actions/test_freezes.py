"""Deciding what a frozen environment serves: the backup's model, or another one, and by whom."""

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.problems import MissingGrant
from environments import errors
from environments.actions import freezes, promotions
from environments.models import Environment, Promotion
from tests.factories import give


@pytest.fixture
def frozen(production, otter, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    freezes.freeze_all(as_of=timezone.now(), now=timezone.now())
    production.refresh_from_db()
    return production


def test_what_the_backup_says_moves_nothing(frozen, otter, by_ana):
    freezes.resume(environment=frozen, model=otter, by=by_ana, reason="the servers agree")
    frozen.refresh_from_db()
    assert (frozen.frozen_at, frozen.frozen_as_of) == (None, None)
    assert Promotion.objects.count() == 1
    event = AuditEvent.objects.get(action="environment.resume")
    assert (event.object, event.actor) == ("environment:production", "ana")
    assert (event.before["model"], event.after) == (
        "brisk-otter",
        {"model": "brisk-otter", "reason": "the servers agree"},
    )


def test_another_model_is_a_promotion_in_the_same_transaction(frozen, heron, by_ana):
    freezes.resume(environment=frozen, model=heron, by=by_ana, reason="as the servers have it")
    newest = promotions.latest(frozen)
    assert (newest.model, newest.previous_model.name, newest.reason) == (heron, "brisk-otter", "as the servers have it")
    assert promotions.current_model(frozen) == heron


def test_no_model_is_a_choice_too(frozen, by_ana):
    freezes.resume(environment=frozen, model=None, by=by_ana)
    assert promotions.current_model(frozen) is None


def test_a_refused_model_leaves_it_frozen(frozen, heron, by_ana):
    heron.damaged_at = timezone.now()
    heron.save()
    with pytest.raises(errors.ArchiveDamaged):
        freezes.resume(environment=frozen, model=heron, by=by_ana)
    frozen.refresh_from_db()
    assert frozen.frozen_at
    assert not AuditEvent.objects.filter(action="environment.resume").exists()


def test_it_takes_the_grant_to_promote_there(frozen, otter, by_ben):
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        freezes.resume(environment=frozen, model=otter, by=by_ben)
    give(by_ben.user, frozen.project, "environments.production.write")
    freezes.resume(environment=frozen, model=otter, by=by_ben.anew())


def test_twice_is_once(frozen, otter, by_ana):
    freezes.resume(environment=frozen, model=otter, by=by_ana)
    with pytest.raises(errors.NotFrozen):
        freezes.resume(environment=frozen, model=otter, by=by_ana)


def test_of_one_that_follows_another_that_one_is_decided(frozen, worker, otter, by_ana):
    with pytest.raises(errors.FollowsAnother):
        freezes.resume(environment=worker, model=otter, by=by_ana)


def test_nothing_is_promoted_or_rolled_back_before(frozen, heron, by_ana):
    with pytest.raises(errors.EnvironmentFrozen, match=r"manage\.py resume production"):
        promotions.promote(environment=frozen, model=heron, by=by_ana)
    with pytest.raises(errors.EnvironmentFrozen):
        promotions.rollback(environment=frozen, to=Promotion.objects.get(), by=by_ana)
    assert isinstance(promotions.standing_refusal(environment=frozen, by=by_ana), errors.EnvironmentFrozen)


def test_a_retired_one_is_frozen_too_and_holds_nobody_up(production, experimental):
    Environment.objects.filter(pk=experimental.pk).update(retired_at=timezone.now())
    freezes.freeze_all(as_of=timezone.now(), now=timezone.now())
    experimental.refresh_from_db()
    assert experimental.frozen_at
    Environment.objects.filter(pk=production.pk).update(frozen_at=None)
    freezes.check_none(production.project)
