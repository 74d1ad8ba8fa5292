"""What the rules of retention keep and why, what goes, and what stays whatever the rules say."""

import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actor import JOB, system
from accounts.models import AuditEvent
from accounts.problems import InvalidFields, MissingGrant
from environments import errors, stored_bundles
from environments.actions import bundles, evaluations, job_logs, promotions, retention, retention_plans, tags, trainings
from environments.actions.retention_plans import BUNDLE, MODEL, Logs, Rules
from environments.decisions import Record
from environments.models import (
    Evaluation,
    JobLog,
    Message,
    Pipeline,
    PipelineRun,
    Promotion,
    Replica,
    Retention,
    Tag,
    TrainedModel,
)
from environments.receiving import receive_bundle
from tests.bench import seeds
from tests.factories import (
    BundleFactory,
    EnvironmentFactory,
    JobFactory,
    MessageFactory,
    ProjectFactory,
    TrainedModelFactory,
    give,
)
from tests.projects import zipped

BY = system(JOB)


@pytest.fixture
def models(project):
    """Five, the first is the oldest."""
    return [TrainedModelFactory(project=project, name=f"model-{letter}", size=100) for letter in "abcde"]


def going(project, kind=MODEL, **rules):
    return [item.name for item in retention_plans.plan(project, Rules(**rules)).of(kind).going]


def why(project, name, kind=MODEL, **rules):
    plan = retention_plans.plan(project, Rules(**rules))
    [item] = [item for item in plan.items if (item.kind, item.name) == (kind, name)]
    return "; ".join(item.reasons)


def enabled(project, **rules):
    return Retention.objects.create(project=project, enabled=True, **rules)


# Models


def test_the_newest_stay_and_the_others_go(project, models):
    assert going(project, keep_models=2) == ["model-c", "model-b", "model-a"]
    assert why(project, "model-e", keep_models=2) == "it is one of the 2 newest"
    assert why(project, "model-e", keep_models=1) == "it is the newest"


def test_without_a_rule_about_models_all_stay(project, models):
    assert going(project) == []
    assert going(project, keep_bundles=1) == []
    assert why(project, "model-a") == "no rule is about models"


def test_a_tag_keeps_its_model(project, models, by_ana):
    tags.put(project=project, tag="lts", model=models[0], by=by_ana)
    assert going(project, keep_models=1) == ["model-d", "model-c", "model-b"]
    assert why(project, "model-a", keep_models=1) == "it carries the tag lts"


def test_what_an_environment_serves_and_would_go_back_to_stays(project, production, models, by_ana):
    for model in models[:3]:
        promotions.promote(environment=production, model=model, by=by_ana)
    assert going(project, keep_models=1) == ["model-d", "model-a"]
    assert "production is to serve it" in why(project, "model-c", keep_models=1)
    assert "a rollback of production would bring it back" in why(project, "model-b", keep_models=1)


def test_what_a_live_server_has_loaded_stays(project, production, models):
    record, now = Record(model=models[0].hash, proved=models[0].hash), timezone.now()
    Replica.objects.create(
        environment=production, name="rasa-1", first_seen_at=now, last_poll_at=now, record=record.as_json()
    )
    assert "rasa-1 of production serves it" in why(project, "model-a", keep_models=1)


def test_what_served_within_the_days_stays_until_they_are_over(project, production, models, by_ana):
    for model in models:
        promotions.promote(environment=production, model=model, by=by_ana)
    for days, promotion in zip((50, 40, 30, 20, 10), Promotion.objects.order_by("pk"), strict=True):
        Promotion.objects.filter(pk=promotion.pk).update(created_at=timezone.now() - timedelta(days=days))
    # model-b gave way to model-c 30 days ago, model-a to model-b 40 days ago.
    assert going(project, served_within_days=35) == ["model-a"]
    assert why(project, "model-b", served_within_days=35) == "it served within the last 35 days"
    assert going(project, served_within_days=25) == ["model-b", "model-a"]


def test_what_an_evaluation_or_a_pipeline_works_on_stays_also_for_who_deletes_by_hand(project, models, ana, by_ana):
    bundle = BundleFactory(project=project)
    job = JobFactory(project=project, kind="evaluation", status="running", bundle=bundle)
    Evaluation.objects.create(project=project, job=job, model=models[0], bundle=bundle)
    pipeline = Pipeline.objects.create(project=project, name="nightly", owner=ana)
    run = PipelineRun.objects.create(
        pipeline=pipeline, trigger="hand", status="running", by_name="ana", owner=ana, bundle=bundle
    )
    run.steps.create(position=0, name="train", kind="train", job=JobFactory(project=project, result=models[1]))
    PipelineRun.objects.filter(pk=run.pk).update(model=models[2])
    assert going(project, keep_models=1) == ["model-d"]
    assert "tests it" in why(project, "model-a", keep_models=1)
    assert "of a pipeline has it in hand" in why(project, "model-b", keep_models=1)
    with pytest.raises(errors.ModelInUse, match="of a pipeline has it in hand"):
        retention._delete_model(models[2].pk, by_ana)
    PipelineRun.objects.update(status="succeeded")
    job.status = "succeeded"
    job.save()
    assert going(project, keep_models=1) == ["model-d", "model-c", "model-b", "model-a"]


# Bundles


def test_of_bundles_only_the_bytes_go_and_a_model_still_tells_its_data(project, by_ana):
    old, new = BundleFactory(project=project), BundleFactory(project=project)
    model = TrainedModelFactory(project=project, bundle=old)
    enabled(project, keep_bundles=1)
    done = retention.apply(project=project, by=BY)
    assert (done.bundles, done.models, done.freed) == (1, 0, old.size)
    model.refresh_from_db()
    assert (model.bundle, model.bundle.removed_at is not None) == (old, True)
    new.refresh_from_db()
    assert new.removed_at is None


def test_a_bundle_stays_with_a_model_that_is_kept_for_more_than_being_new(project, by_ana):
    old, _ = BundleFactory(project=project), BundleFactory(project=project)
    model = TrainedModelFactory(project=project, name="model-a", bundle=old)
    assert going(project, BUNDLE, keep_bundles=1, keep_models=5) == [str(old.pk)]
    tags.put(project=project, tag="lts", model=model, by=by_ana)
    assert going(project, BUNDLE, keep_bundles=1) == []
    assert why(project, str(old.pk), BUNDLE, keep_bundles=1) == "model-a, which is kept, came from it"


def test_a_bundle_that_a_job_or_a_pipeline_works_on_stays(project, ana):
    first, second, third = [BundleFactory(project=project) for _ in range(3)]
    job = JobFactory(project=project, status="queued", bundle=first)
    pipeline = Pipeline.objects.create(project=project, name="nightly", owner=ana)
    run = PipelineRun.objects.create(pipeline=pipeline, trigger="hand", by_name="ana", owner=ana, bundle=second)
    assert going(project, BUNDLE, keep_bundles=1) == []
    assert why(project, str(first.pk), BUNDLE, keep_bundles=1) == f"job {job.pk} works on it"
    assert why(project, str(second.pk), BUNDLE, keep_bundles=1) == f"run {run.pk} of a pipeline works on it"
    assert "it is the newest" in why(project, str(third.pk), BUNDLE, keep_bundles=1)
    with pytest.raises(errors.BundleInUse, match="it is the newest"):
        bundles.remove(bundle=third, by=BY, why="a test")


@pytest.fixture
def removed(bundle, project, by_ana):
    """A bundle whose bytes went, and a newer one."""
    BundleFactory(project=project)
    bundles.remove(bundle=bundle, by=by_ana, why="a test")
    return bundle


def test_a_removed_bundle_is_not_trained_nor_tested_on_and_says_the_cure(removed, project, worker, otter, by_ana, sent):
    with pytest.raises(errors.BundleRemoved, match="Send the same project again"):
        trainings.submit(project=project, bundle=removed, by=by_ana)
    with pytest.raises(errors.BundleRemoved):
        evaluations.submit(model=otter, bundle=removed, by=by_ana)
    with pytest.raises(errors.BundleRemoved):
        stored_bundles.project_of(removed)
    with pytest.raises(errors.BundleRemoved):
        bundles.remove(bundle=removed, by=by_ana, why="again")


def test_the_same_bytes_again_bring_it_back(removed, project, worker, by_ana, sent):
    again = receive_bundle(project=project, stream=io.BytesIO(zipped()), by=by_ana)
    assert (again.bundle, again.created) == (removed, False)
    removed.refresh_from_db()
    assert removed.removed_at is None
    assert trainings.submit(project=project, bundle=removed, by=by_ana).bundle == removed
    assert AuditEvent.objects.filter(action="bundle.restore", object=f"bundle:{removed.pk}").count() == 1


# How much it frees


def test_it_frees_what_no_other_project_has(project, models):
    banking = ProjectFactory(name="banking")
    TrainedModelFactory(project=banking, name="same", hash=models[0].hash)
    plan = retention_plans.plan(project, Rules(keep_models=3))
    assert {item.name: item.frees for item in plan.going} == {"model-a": 0, "model-b": 100}
    assert plan.frees == 100


# Applying


def test_what_goes_is_deleted_and_each_deletion_is_audited(project, models):
    enabled(project, keep_models=3)
    done = retention.apply(project=project, by=BY)
    assert (done.models, done.freed, done.spared) == (2, 200, 0)
    assert [model.name for model in TrainedModel.objects.present().order_by("pk")] == ["model-c", "model-d", "model-e"]
    told = AuditEvent.objects.filter(action="model.delete").order_by("pk")
    assert {(event.object, event.actor, event.after["reason"]) for event in told} == {
        ("model:model-a", "job", "retention"),
        ("model:model-b", "job", "retention"),
    }
    assert retention.apply(project=project, by=BY) == retention.Applied()


@pytest.mark.parametrize("on", [None, False])
def test_off_or_never_said_nothing_goes(project, models, on):
    if on is False:
        Retention.objects.create(project=project, enabled=False, keep_models=1)
    assert retention.apply(project=project, by=BY) == retention.Applied()
    assert TrainedModel.objects.present().count() == 5


@pytest.fixture
def meanwhile(monkeypatch):
    """`meanwhile(act)`: it happens once the plan is made, before anything is deleted."""

    def arrange(act):
        plan = retention_plans.plan

        def planned(project, rules):
            made = plan(project, rules)
            act()
            return made

        monkeypatch.setattr(retention_plans, "plan", planned)

    return arrange


def test_what_is_promoted_or_tagged_after_the_plan_stays(project, production, models, by_ana, meanwhile):
    def act():
        promotions.promote(environment=production, model=models[0], by=by_ana)
        tags.put(project=project, tag="lts", model=models[1], by=by_ana)

    enabled(project, keep_models=1)
    meanwhile(act)
    done = retention.apply(project=project, by=BY)
    assert (done.models, done.spared) == (2, 2)
    assert set(TrainedModel.objects.present().values_list("name", flat=True)) == {"model-a", "model-b", "model-e"}
    assert Tag.objects.get(name="lts").model == models[1]


def test_rules_that_are_switched_off_meanwhile_end_the_run(project, models, meanwhile):
    enabled(project, keep_models=1)
    meanwhile(lambda: Retention.objects.update(enabled=False))
    assert retention.apply(project=project, by=BY).models == 0
    assert TrainedModel.objects.present().count() == 5


def test_killed_in_the_middle_the_next_run_goes_on(project, models, monkeypatch):
    enabled(project, keep_models=1)
    deleted = []

    def killed(pk, by):
        if len(deleted) == 2:
            raise SystemExit
        deleted.append(pk)
        delete(pk, by)

    delete = retention._delete_model
    monkeypatch.setattr(retention, "_delete_model", killed)
    with pytest.raises(SystemExit):
        retention.apply(project=project, by=BY)
    assert TrainedModel.objects.present().count() == 3
    assert AuditEvent.objects.filter(action="model.delete").count() == 2
    monkeypatch.undo()
    assert retention.apply(project=project, by=BY).models == 2


# The rules


def test_a_change_is_recorded_once(project, by_ana):
    rules = Rules(keep_models=5, served_within_days=30)
    retention.put(project=project, by=by_ana, enabled=True, rules=rules)
    retention.put(project=project, by=by_ana, enabled=True, rules=rules)
    [event] = AuditEvent.objects.filter(action="retention.change")
    assert (event.before["enabled"], event.after["enabled"], event.after["keep_models"]) == (False, True, 5)


def test_on_without_any_rule_is_refused(project, by_ana):
    with pytest.raises(InvalidFields, match="Say how many"):
        retention.put(project=project, by=by_ana, enabled=True, rules=Rules())
    assert not Retention.objects.exists()


def test_nobody_has_deleted_what_they_may_not_delete(project, cy, by_cy):
    give(cy, project, "settings.read", "settings.write")
    with pytest.raises(MissingGrant, match=r"models\.delete"):
        retention.put(project=project, by=by_cy, enabled=True, rules=Rules(keep_models=1))


def test_the_plan_costs_as_many_queries_for_10000_models_as_for_30(project, production, experimental):
    def count():
        with CaptureQueriesContext(connection) as captured:
            plan = retention_plans.plan(project, Rules(keep_models=10, keep_bundles=2, served_within_days=30))
        return len(captured), len(plan.items)

    seeds.many(models=30, history=9, tags=3)
    few, _ = count()
    seeds.many(models=9970, history=900, tags=100, start=30)
    many, items = count()
    assert items >= 10_000
    assert many == few


# Logs of jobs


def job_that_ended(project, days, text="what it printed\n"):
    job = JobFactory(project=project, status="succeeded", finished_at=timezone.now() - timedelta(days=days))
    JobLog.objects.create(job=job, offset=0, text=text)
    JobLog.objects.create(job=job, offset=len(text), text="and more\n")
    return job


def log_of(job):
    return JobLog.objects.read(job, 0).text


def test_the_log_of_a_job_that_ended_long_ago_goes_and_that_is_told_in_its_place(project):
    old, young = job_that_ended(project, 31), job_that_ended(project, 29)
    elsewhere = job_that_ended(ProjectFactory(name="banking"), 31)
    waiting = JobFactory(project=project)
    JobLog.objects.create(job=waiting, offset=0, text="not ended\n")
    silent = JobFactory(project=project, status="succeeded", finished_at=timezone.now() - timedelta(days=31))
    enabled(project, keep_log_days=30)
    assert retention_plans.plan(project, Rules(keep_log_days=30)).logs == Logs(going=1, kept=2)
    assert retention.apply(project=project, by=BY).logs == 1
    assert log_of(old).startswith("The log was taken away on 20")
    assert [log_of(job) for job in (young, elsewhere)] == ["what it printed\nand more\n"] * 2
    assert (log_of(waiting), log_of(silent)) == ("not ended\n", "")
    event = AuditEvent.objects.get(action="job.remove_log")
    assert (event.object, event.after) == (f"job:{old.pk}", {"why": "retention"})
    assert retention.apply(project=project, by=BY).logs == 0


def test_without_a_rule_about_logs_all_stay(project):
    job = job_that_ended(project, 4000)
    enabled(project, keep_models=1)
    assert retention_plans.plan(project, Rules(keep_models=1)).logs == Logs(going=0, kept=1)
    assert retention.apply(project=project, by=BY).logs == 0
    assert "what it printed" in log_of(job)


def test_who_reads_on_in_a_log_that_was_taken_away_is_led_back_to_its_end(project, by_ana):
    job = job_that_ended(project, 2, text="x" * 200)
    assert job_logs.remove(job=job, by=by_ana, why="retention")
    assert not job_logs.remove(job=job, by=by_ana, why="retention")
    reading = JobLog.objects.read(job, 205)
    assert (reading.text, reading.next_offset) == ("", len(log_of(job)))


def test_the_log_of_a_job_that_has_not_ended_stays(project, by_ana):
    job = JobFactory(project=project)
    JobLog.objects.create(job=job, offset=0, text="not ended\n")
    assert not job_logs.remove(job=job, by=by_ana, why="retention")
    assert log_of(job) == "not ended\n"


# What was said to bots


def test_messages_are_forgotten_by_their_age_in_projects_that_say_so(project, by_ana, production):
    old = timezone.now() - timedelta(days=31)
    elsewhere = EnvironmentFactory(project=ProjectFactory(name="banking"))
    for environment in (production, elsewhere):
        MessageFactory(environment=environment, at=old)
    stays = MessageFactory(environment=production)
    retention.put(project=project, by=by_ana, enabled=True, rules=Rules(forget_after_days=30))
    assert retention.apply(project=project, by=by_ana).messages == 1
    assert set(Message.objects.filter(project=project)) == {stays}
    assert Message.objects.count() == 2
