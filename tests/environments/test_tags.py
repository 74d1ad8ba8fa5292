"""Tags: free ones move at will, those of environments are promotions."""

import pytest

from accounts.actor import RASA_X, Actor
from accounts.models import AuditEvent
from accounts.problems import MissingGrant, NotFound
from environments import errors
from environments.actions import promotions, tags, trained_models
from environments.models import Promotion, Tag


def where() -> dict[str, str]:
    return {tag.name: tag.model.name for tag in Tag.objects.select_related("model")}


@pytest.fixture
def put(project, by_ana):
    return lambda tag, model, by=by_ana: tags.put(project=project, tag=tag, model=model, by=by)


@pytest.fixture
def remove(project, by_ana):
    return lambda tag, model=None, by=by_ana: tags.remove(project=project, tag=tag, model=model, by=by)


def test_a_free_tag_leaves_the_model_that_had_it(put, otter, heron):
    assert put("nightly", otter) is None
    put("stable", otter)
    put("nightly", heron)
    assert where() == {"nightly": "calm-heron", "stable": "brisk-otter"}
    event = AuditEvent.objects.first()
    assert (event.action, event.object) == ("tag.put", "tag:nightly")
    assert (event.before, event.after) == ({"model": "brisk-otter"}, {"model": "calm-heron"})


def test_putting_it_where_it_is_changes_nothing(put, otter):
    put("nightly", otter)
    put("nightly", otter)
    assert AuditEvent.objects.count() == 1


def test_the_tag_of_an_environment_is_a_promotion(put, otter, production):
    outcome = put("production", otter)
    assert outcome.promotion == Promotion.objects.get()
    assert promotions.current_model(production) == otter


def test_active_is_production(put, remove, otter, production):
    put("active", otter)
    assert where() == {"production": "brisk-otter"}
    remove("active")
    assert promotions.current_model(production) is None


def test_active_without_a_production_is_not_there(put, otter):
    with pytest.raises(NotFound, match="production"):
        put("active", otter)


@pytest.mark.parametrize("tag", ["latest", "Nightly", "", "a b", "-a", "n" * 64])
def test_some_names_are_no_tags(put, otter, tag):
    with pytest.raises(errors.InvalidName):
        put(tag, otter)
    assert where() == {}


def test_the_name_of_a_follower_is_no_tag(put, otter, worker):
    with pytest.raises(errors.FollowsAnother):
        put("worker", otter)


def test_the_name_of_a_retired_environment_is_no_tag(put, otter, experimental, django_now):
    experimental.retired_at = django_now
    experimental.save()
    with pytest.raises(errors.EnvironmentRetired):
        put("experimental", otter)
    assert where() == {}


def test_a_deleted_model_gets_no_tag(put, otter, by_ana):
    trained_models.delete(model=otter, by=by_ana)
    with pytest.raises(errors.ModelGone):
        put("nightly", otter)


def test_a_free_tag_is_taken_away(put, remove, otter):
    put("nightly", otter)
    assert remove("nightly", otter) is None
    assert where() == {}
    assert AuditEvent.objects.first().action == "tag.remove"


def test_taking_away_an_environments_tag_is_a_promotion_to_nothing(put, remove, otter, production):
    put("production", otter)
    outcome = remove("production", otter)
    assert outcome.promotion.model is None
    assert where() == {}


def test_what_is_not_there_cannot_be_taken_away(put, remove, otter, heron, production):
    put("nightly", otter)
    for tag, model in (("nightly", heron), ("stable", None), ("production", None), ("production", otter)):
        with pytest.raises(NotFound):
            remove(tag, model)
    assert where() == {"nightly": "brisk-otter"}
    assert not Promotion.objects.exists()


def test_ben_may_move_free_tags_and_that_of_experimental_alone(put, remove, otter, production, experimental, by_ben):
    put("nightly", otter, by_ben)
    put("experimental", otter, by_ben)
    remove("nightly", by=by_ben)
    for tag in ("production", "active"):
        with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
            put(tag, otter, by_ben)
    with pytest.raises(MissingGrant):
        remove("production", by=by_ben)


def test_an_outsider_moves_nothing(put, remove, otter, production, by_cy):
    for tag in ("nightly", "production"):
        with pytest.raises(NotFound):
            put(tag, otter, by_cy)
        with pytest.raises(NotFound):
            remove(tag, by=by_cy)


def test_the_old_routes_may_be_shut_for_an_environment(put, remove, otter, production, ana, by_ana):
    production.rasa_x_writes = "refuse"
    production.save()
    old = Actor(user=ana, via=RASA_X)
    with pytest.raises(errors.RasaXWritesRefused) as refused:
        put("production", otter, old)
    assert refused.value.data["route"] == "/api/v1/environments/production/promotions/"
    put("production", otter, by_ana)
    with pytest.raises(errors.RasaXWritesRefused):
        remove("production", by=old)
    put("nightly", otter, old)
