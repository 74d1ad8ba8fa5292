"""Declaring pipelines: who may, who owns them then, what must be there."""

import pytest

from accounts.actions import api_tokens
from accounts.actor import API, COMMAND, Actor, system
from accounts.models import AuditEvent, User
from accounts.problems import InvalidFields, MissingGrant
from environments import errors, pipeline_spec
from environments.actions import pipeline_runs, pipelines
from environments.models import Pipeline, PipelineRun, Repository
from environments.states import DeclaredIn, Trigger
from tests.factories import give, take
from tests.pipelines import declare, start


@pytest.fixture
def by_dev(project, ben):
    """ben, who may write pipelines and promote to experimental alone."""
    give(ben, project, "pipelines.read", "pipelines.write")
    return Actor(user=User.objects.get(pk=ben.pk), via=API)


def test_whoever_declares_it_owns_it(project, experimental, by_dev):
    pipeline = declare(project, by_dev, promote="experimental", on={"schedule": "0 3 * * *"})
    assert (pipeline.owner, pipeline.token, pipeline.declared_in) == (by_dev.user, None, DeclaredIn.API)
    assert pipeline.due_at is not None
    event = AuditEvent.objects.get(action="pipeline.create")
    assert (event.object, event.actor, event.after["promote"]) == ("pipeline:nightly", "ben", "experimental")


def test_without_the_grant_nothing_is_declared(project, by_ben, by_cy):
    for by, grant in ((by_ben, "pipelines.write"),):
        with pytest.raises(MissingGrant, match=grant):
            declare(project, by)
    assert not Pipeline.objects.exists()


@pytest.mark.parametrize("grant", ["training.write", "evaluations.write", "environments.experimental.write"])
def test_every_grant_that_its_steps_need_is_held(project, experimental, ben, by_dev, grant):
    take(ben, grant)
    with pytest.raises(MissingGrant, match=grant):
        declare(project, Actor(user=User.objects.get(pk=ben.pk), via=API), promote="experimental")


def test_nobody_lets_a_pipeline_do_what_they_may_not(project, production, by_dev):
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        declare(project, by_dev, promote="production")


def test_a_narrow_token_declares_no_more_than_it_may(project, experimental, ana, by_ana):
    grants = ["pipelines.write", "training.write", "evaluations.write", "environments.read"]
    token, _ = api_tokens.create(user=ana, name="ci", by=by_ana, grants=grants)
    by = Actor(user=ana, via=API, token=token)
    with pytest.raises(MissingGrant, match=r"environments\.experimental\.write"):
        declare(project, by, promote="experimental")
    assert declare(project, by).token == token


def test_what_it_names_is_there(project, production, worker, by_ana):
    for members, key in (
        ({"promote": "staging"}, "promote"),
        ({"promote": "worker"}, "promote"),
        ({"source": {"repository": "bot"}}, "source.repository"),
    ):
        with pytest.raises(InvalidFields) as refused:
            declare(project, by_ana, **members)
        assert set(refused.value.errors) == {key}


def test_a_name_is_given_once(project, by_ana):
    declare(project, by_ana)
    with pytest.raises(errors.PipelineExists):
        declare(project, by_ana)


def test_who_changes_it_owns_it_from_then_on(project, experimental, by_ana, by_dev):
    pipeline = declare(project, by_ana, promote="experimental")
    changed = pipelines.change(pipeline=pipeline, members={"gates": {"minimum_f1": 0.5}}, by=by_dev)
    assert (changed.owner, changed.declaration["promote"]) == (by_dev.user, "experimental")
    event = AuditEvent.objects.get(action="pipeline.update")
    assert event.before == {"gates": {}, "owner": "ana"}
    assert event.after == {"gates": {"minimum_f1": 0.5}, "owner": "ben"}


def test_nobody_edits_the_gates_of_what_they_may_not_do_themselves(project, production, by_ana, by_dev):
    pipeline = declare(project, by_ana, promote="production", gates={"minimum_f1": 0.9})
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        pipelines.change(pipeline=pipeline, members={"gates": {}}, by=by_dev)
    pipeline.refresh_from_db()
    assert pipeline.declaration["gates"] == {"minimum_f1": 0.9}
    assert pipelines.change(pipeline=pipeline, members={"promote": None}, by=by_dev).owner == by_dev.user


def test_nobody_declares_in_the_name_of_somebody_else(project, by_ana, by_dev):
    with pytest.raises(InvalidFields, match="owner"):
        declare(project, by_dev, owner="ana")
    assert declare(project, by_dev, owner="ben").owner == by_dev.user
    with pytest.raises(InvalidFields, match="owner"):
        declare(project, system(COMMAND), name="other")


def test_by_hand_it_takes_the_grants_of_every_step(project, production, by_ana, by_dev):
    pipeline = declare(project, by_ana, promote="production")
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        start(pipeline, by_dev)
    assert pipeline_runs.why_not_by_hand(pipeline, by_dev).data["grant"] == "environments.production.write"
    assert pipeline_runs.why_not_by_hand(pipeline, by_ana) is None
    assert not PipelineRun.objects.exists()


def test_it_runs_as_its_owner_whoever_starts_it(project, experimental, by_ana, by_dev):
    run = start(declare(project, by_dev, promote="experimental"), by_ana)
    assert (run.owner, run.by) == (by_dev.user, by_ana.user)


def test_one_that_was_removed_is_gone_with_its_secret_and_may_come_back(project, by_ana):
    pipeline = declare(project, by_ana, on={"schedule": "0 3 * * *"})
    secret = pipelines.new_push_secret(pipeline=pipeline, by=by_ana)
    run = start(pipeline, by_ana)
    pipelines.remove(pipeline=pipeline, by=by_ana)
    run.refresh_from_db()
    assert run.status == "cancelled"
    pipeline.refresh_from_db()
    assert (pipeline.push_secret, pipeline.due_at, secret != "") == ("", None, True)
    with pytest.raises(errors.PipelineGone):
        pipelines.change(pipeline=pipeline, members={}, by=by_ana)
    again = declare(project, by_ana)
    assert (again.pk, again.removed_at) == (pipeline.pk, None)


def test_the_secret_is_told_once_and_never_recorded(project, by_ana):
    pipeline = declare(project, by_ana)
    first = pipelines.new_push_secret(pipeline=pipeline, by=by_ana)
    second = pipelines.new_push_secret(pipeline=pipeline, by=by_ana)
    pipeline.refresh_from_db()
    assert first != second == pipeline.push_secret
    assert second not in pipeline.sealed_push_secret
    assert second not in str(list(AuditEvent.objects.values()))


def test_the_secret_starts_it_so_it_takes_the_grants_of_every_step(project, production, by_ana, by_dev):
    pipeline = declare(project, by_ana, promote="production")
    secret = pipelines.new_push_secret(pipeline=pipeline, by=by_ana)
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        pipelines.new_push_secret(pipeline=pipeline, by=by_dev)
    pipeline.refresh_from_db()
    assert pipeline.push_secret == secret


def test_a_pipeline_of_the_file_is_changed_there(project, by_ana):
    pipeline = declare(project, by_ana)
    Pipeline.objects.update(declared_in=DeclaredIn.FILE)
    for act in (
        lambda: pipelines.change(pipeline=pipeline, members={}, by=by_ana),
        lambda: pipelines.remove(pipeline=pipeline, by=by_ana),
        lambda: pipelines.replace(
            pipeline=pipeline, declared=pipeline_spec.read_json({}, project="default", name="nightly"), by=by_ana
        ),
    ):
        with pytest.raises(errors.PipelineInFile, match="sync_pipelines"):
            act()
    assert pipelines.new_push_secret(pipeline=pipeline, by=by_ana)


def test_changing_something_else_leaves_a_run_that_was_missed_to_be_caught_up(project, by_ana, django_now):
    pipeline = declare(project, by_ana, on={"schedule": "0 3 * * *"})
    Pipeline.objects.update(due_at=django_now)
    assert pipelines.change(pipeline=pipeline, members={"notify": False}, by=by_ana).due_at == django_now
    assert pipelines.change(pipeline=pipeline, members={"enabled": False}, by=by_ana).due_at is None
    assert pipelines.change(pipeline=pipeline, members={"enabled": True}, by=by_ana).due_at > django_now


def test_a_repository_of_the_project_is_a_source(project, by_ana):
    Repository.objects.create(project=project, name="bot", url="https://git.example/bot.git", by_name="ana")
    pipeline = declare(project, by_ana, source={"repository": "bot"}, on={"push": True})
    assert pipeline.declaration["on"] == {"push": True}
    assert start(pipeline, by_ana, Trigger.HAND).ref == ""
