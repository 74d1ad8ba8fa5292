"""Promote and roll back: one tag, one promotion, one audit event, whichever door."""

import pytest

from accounts.models import AuditEvent
from accounts.problems import MissingGrant, NotFound
from environments import errors
from environments.actions import promotions
from environments.models import Proof, ServerCheck, Tag
from tests.factories import TrainedModelFactory


def served(environment):
    model = promotions.current_model(environment)
    return model.name if model else None


def test_a_promotion_moves_the_tag_and_tells_of_it(production, otter, by_ana):
    outcome = promotions.promote(environment=production, model=otter, by=by_ana, reason="first release")
    assert outcome.created
    assert served(production) == "brisk-otter"
    assert outcome.promotion.status == "rolling_out"
    event = AuditEvent.objects.get()
    assert (event.actor, event.action, event.object) == ("ana", "environment.promote", "environment:production")
    assert (event.before, event.after["model"]) == ({"model": None}, "brisk-otter")


def test_promoting_what_is_there_moves_nothing_whatever_was_expected(production, otter, by_ana):
    first = promotions.promote(environment=production, model=otter, by=by_ana)
    again = promotions.promote(environment=production, model=otter, by=by_ana, expected="something-else")
    assert not again.created
    assert again.promotion == first.promotion
    assert AuditEvent.objects.count() == 1


def test_moving_one_tag_touches_no_other(production, experimental, otter, heron, by_ana):
    promotions.promote(environment=experimental, model=otter, by=by_ana)
    promotions.promote(environment=production, model=otter, by=by_ana)
    promotions.promote(environment=production, model=heron, by=by_ana)
    assert {tag.name: tag.model.name for tag in Tag.objects.all()} == {
        "experimental": "brisk-otter",
        "production": "calm-heron",
    }


def test_a_stale_promotion_is_refused_and_told_who_was_first(production, otter, heron, by_ana):
    promotions.promote(environment=production, model=heron, by=by_ana)
    with pytest.raises(errors.StalePromotion) as refused:
        promotions.promote(environment=production, model=otter, by=by_ana, expected=None)
    assert refused.value.data["current"] == "calm-heron"
    assert refused.value.data["by"] == "ana"
    assert served(production) == "calm-heron"


def test_the_next_promotion_supersedes_one_that_is_rolling_out(production, otter, heron, by_ana):
    first = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    promotions.promote(environment=production, model=heron, by=by_ana)
    first.refresh_from_db()
    assert first.status == "superseded"
    assert first.finished_at is not None


def test_rolling_back_twice_goes_back_two_and_never_forward(production, by_ana):
    for name in ("first", "second", "third"):
        promotions.promote(environment=production, model=TrainedModelFactory(name=name), by=by_ana)
    promotions.rollback(environment=production, by=by_ana)
    assert served(production) == "second"
    promotions.rollback(environment=production, by=by_ana)
    assert served(production) == "first"
    with pytest.raises(errors.NothingToGoBackTo):
        promotions.rollback(environment=production, by=by_ana)


def test_a_promotion_after_a_rollback_goes_on_top_of_what_was_restored(production, by_ana):
    for name in ("first", "bad"):
        promotions.promote(environment=production, model=TrainedModelFactory(name=name), by=by_ana)
    promotions.rollback(environment=production, by=by_ana)
    promotions.promote(environment=production, model=TrainedModelFactory(name="fixed"), by=by_ana)
    outcome = promotions.rollback(environment=production, by=by_ana)
    assert served(production) == "first"
    assert outcome.promotion.origin == "rollback"


def test_a_rollback_passes_over_promotions_to_nothing(production, otter, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    promotions.promote(environment=production, model=None, by=by_ana)
    assert served(production) is None
    promotions.rollback(environment=production, by=by_ana)
    assert served(production) == "brisk-otter"


def test_going_back_to_a_named_promotion(production, by_ana):
    made = [
        promotions.promote(environment=production, model=TrainedModelFactory(name=name), by=by_ana).promotion
        for name in ("first", "second", "third")
    ]
    promotions.rollback(environment=production, by=by_ana, to=made[0])
    assert served(production) == "first"


def test_a_promotion_of_another_environment_is_no_way_back(production, experimental, otter, by_ana):
    elsewhere = promotions.promote(environment=experimental, model=otter, by=by_ana).promotion
    with pytest.raises(NotFound):
        promotions.rollback(environment=production, by=by_ana, to=elsewhere)


def test_a_follower_cannot_be_promoted_to(worker, otter, by_ana):
    with pytest.raises(errors.FollowsAnother, match="Promote to production"):
        promotions.promote(environment=worker, model=otter, by=by_ana)


def test_a_model_older_than_the_server_takes_is_refused_unless_forced(production, by_ana, django_now):
    old = TrainedModelFactory(name="old", version="3.5.0")
    ServerCheck.objects.create(
        environment=production, due_at=django_now, version="3.6.21", minimum_compatible_version="3.6.21"
    )
    with pytest.raises(errors.Incompatible, match=r"Rasa 3\.5\.0"):
        promotions.promote(environment=production, model=old, by=by_ana)
    forced = promotions.promote(environment=production, model=old, by=by_ana, force=True).promotion
    assert forced.forced
    assert AuditEvent.objects.get().after["forced"] is True


def test_a_model_proved_here_before_is_never_refused_for_its_version(production, by_ana, django_now):
    old = TrainedModelFactory(name="old", version="3.5.0")
    Proof.objects.create(environment=production, replica="r1", model=old, first_at=django_now, proved_at=django_now)
    ServerCheck.objects.create(
        environment=production, due_at=django_now, version="3.6.21", minimum_compatible_version="3.6.21"
    )
    assert promotions.promote(environment=production, model=old, by=by_ana).created


def test_where_no_server_was_ever_reached_it_is_allowed_and_noted(production, otter, by_ana):
    made = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    assert "No server of the environment was ever reached" in made.note


def test_ben_may_promote_to_experimental_and_not_to_production(production, experimental, otter, by_ben):
    assert promotions.promote(environment=experimental, model=otter, by=by_ben).created
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        promotions.promote(environment=production, model=otter, by=by_ben)


def test_an_outsider_does_not_learn_that_the_environment_exists(production, otter, by_cy):
    with pytest.raises(NotFound):
        promotions.promote(environment=production, model=otter, by=by_cy)


def test_force_needs_a_grant_of_its_own(experimental, otter, by_ben):
    with pytest.raises(MissingGrant, match=r"environments\.experimental\.force"):
        promotions.promote(environment=experimental, model=otter, by=by_ben, force=True)


def test_only_who_promoted_may_add_a_reason(production, experimental, otter, by_ana, by_ben):
    made = promotions.promote(environment=experimental, model=otter, by=by_ben).promotion
    with pytest.raises(errors.NotTheAuthor):
        promotions.add_reason(promotion=made, reason="mine", by=by_ana)
    assert promotions.add_reason(promotion=made, reason="nightly", by=by_ben).reason == "nightly"
