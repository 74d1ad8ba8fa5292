"""Deleting a model that something needs is refused, naming what; damage is told once."""

from datetime import timedelta

import pytest

from accounts.models import AuditEvent
from accounts.problems import MissingGrant, NotFound
from environments import errors
from environments.actions import promotions, tags, trained_models
from environments.decisions import Record
from environments.models import Job, Proof, Replica, ServerCheck, Tag, TrainedModel
from tests.factories import TrainedModelFactory, give


def proved(environment, model, at, replica="r1"):
    Proof.objects.create(environment=environment, replica=replica, model=model, first_at=at, proved_at=at)


def polling(environment, model, at, name="rasa-1", proved=None):
    record = Record(model=model.hash, proved=(proved or model).hash).as_json()
    return Replica.objects.create(environment=environment, name=name, first_seen_at=at, last_poll_at=at, record=record)


def assert_in_use(model, by, *uses):
    with pytest.raises(errors.ModelInUse) as refused:
        trained_models.delete(model=model, by=by)
    assert refused.value.data["uses"] == list(uses)
    assert trained_models.check_can_delete_now(model) == list(uses)
    assert TrainedModel.objects.get(pk=model.pk).deleted_at is None


def test_a_model_nobody_needs_is_deleted_with_its_free_tags(project, otter, production, by_ana):
    tags.put(project=project, tag="nightly", model=otter, by=by_ana)
    assert trained_models.check_can_delete_now(otter) == []
    trained_models.delete(model=otter, by=by_ana)
    otter.refresh_from_db()
    assert otter.deleted_at
    assert not Tag.objects.exists()
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.object, event.before["tags"]) == ("model.delete", "model:brisk-otter", ["nightly"])


def test_what_an_environment_is_to_serve_is_needed(otter, production, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    assert_in_use(otter, by_ana, "production is to serve it")


def test_what_a_rollback_would_bring_back_is_needed(otter, heron, production, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    promotions.promote(environment=production, model=heron, by=by_ana)
    assert_in_use(otter, by_ana, "a rollback of production would bring it back")


def test_the_last_two_models_proven_in_an_environment_are_needed(experimental, by_ana, django_now):
    oldest, before, last = (TrainedModelFactory(name=name) for name in ("oldest", "before", "last"))
    for hours, model in ((3, oldest), (2, before), (1, last), (0, last)):
        proved(experimental, model, django_now - timedelta(hours=hours), replica=f"r{hours}")
    assert_in_use(last, by_ana, "the last model proven in experimental is this one")
    assert_in_use(before, by_ana, "the model proven in experimental before the last is this one")
    trained_models.delete(model=oldest, by=by_ana)


def test_what_a_live_server_serves_is_needed(otter, experimental, by_ana, django_now):
    replica = polling(experimental, otter, django_now)
    assert_in_use(otter, by_ana, "rasa-1 of experimental serves it")
    Replica.objects.filter(pk=replica.pk).update(last_poll_at=django_now - timedelta(hours=1))
    trained_models.delete(model=otter, by=by_ana)


def test_what_another_process_of_a_server_still_serves_is_needed(otter, heron, experimental, by_ana, django_now):
    polling(experimental, heron, django_now, proved=otter)
    assert_in_use(heron, by_ana, "rasa-1 of experimental serves it")
    assert_in_use(otter, by_ana, "rasa-1 of experimental serves it")


def test_a_server_that_polls_seldom_is_live_for_three_of_its_intervals(otter, experimental, by_ana, django_now):
    experimental.pull_interval = 3600
    experimental.save()
    polling(experimental, otter, django_now - timedelta(hours=2))
    assert_in_use(otter, by_ana, "rasa-1 of experimental serves it")


def test_a_server_that_is_forgotten_needs_nothing(otter, experimental, by_ana, django_now):
    replica = polling(experimental, otter, django_now)
    Replica.objects.filter(pk=replica.pk).update(forgotten_at=django_now)
    trained_models.delete(model=otter, by=by_ana)


def test_what_a_server_reports_that_does_not_poll_is_needed(otter, experimental, by_ana, django_now):
    ServerCheck.objects.create(
        environment=experimental, due_at=django_now, reached_at=django_now, model_id=otter.model_id
    )
    assert_in_use(otter, by_ana, "the server of experimental says that it serves it")


def test_a_retired_environment_needs_nothing_and_its_tag_goes_too(otter, experimental, by_ana, django_now):
    promotions.promote(environment=experimental, model=otter, by=by_ana)
    experimental.retired_at = django_now
    experimental.save()
    trained_models.delete(model=otter, by=by_ana)
    assert not Tag.objects.exists()


def test_what_serves_in_another_project_is_no_concern_of_this_one(otter, production, by_ana):
    other = TrainedModelFactory(project__name="banking", name="teller", hash=otter.hash)
    promotions.promote(environment=production, model=otter, by=by_ana)
    trained_models.delete(model=other, by=by_ana)


def test_the_uses_of_all_models_take_a_constant_number_of_queries(
    project, production, experimental, by_ana, django_assert_max_num_queries
):
    for number in range(5):
        model = TrainedModelFactory(name=f"model-{number}")
        promotions.promote(environment=production, model=model, by=by_ana)
    with django_assert_max_num_queries(15):
        assert len(trained_models.uses(project)) == 2


def test_deleting_needs_its_grant(otter, production, by_ben, by_cy, ben, project):
    with pytest.raises(NotFound):
        trained_models.delete(model=otter, by=by_cy)
    trained_models.delete(model=otter, by=by_ben)
    with pytest.raises(NotFound):
        trained_models.delete(model=otter, by=by_ben)


def test_uploading_needs_its_grant(project, by_cy):
    with pytest.raises(NotFound):
        trained_models.check_can_register(by_cy, project)


def test_reading_alone_deletes_nothing(otter, project, by_cy, cy):
    give(cy, project, "models.read")
    with pytest.raises(MissingGrant, match=r"models\.delete"):
        trained_models.delete(model=otter, by=by_cy)


def test_damage_is_noted_and_told_once(otter, by_ana):
    assert trained_models.mark_damaged(model=otter, by=by_ana)
    assert not trained_models.mark_damaged(model=otter, by=by_ana)
    assert [event.action for event in AuditEvent.objects.all()] == ["model.damage"]
    otter.refresh_from_db()
    assert otter.damaged_at


def test_a_name_is_free_unless_a_model_a_history_or_a_job_has_it(project, otter, by_ana, django_now):
    def conflict(name):
        refusal = trained_models.name_conflict(project=project, name=name)
        return type(refusal) if refusal else None

    TrainedModelFactory(name="gone", deleted_at=django_now)
    TrainedModelFactory(name="told", deleted_at=django_now, promoted_at=django_now)
    Job.objects.create(project=project, kind="training", model_name="coming", by_name="ana")
    Job.objects.create(project=project, kind="training", model_name="failed", by_name="ana", status="failed")
    assert conflict("brisk-otter") is errors.NameTaken
    assert conflict("told") is errors.NameReserved
    assert conflict("coming") is errors.NameReserved
    assert conflict("failed") is None
    assert conflict("gone") is None
