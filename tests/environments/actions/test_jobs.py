"""Jobs: who may submit what, who runs one, how it ends."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError

from accounts.actions import api_tokens
from accounts.actor import COMMAND, system
from accounts.models import ApiToken, AuditEvent, Project
from accounts.problems import InvalidFields, MissingGrant, NotFound, Unauthorized
from environments import errors
from environments.actions import jobs, promotions, queue, trainings
from environments.models import Job
from tests.factories import BundleFactory, EnvironmentFactory, JobFactory, TrainedModelFactory, UserFactory, take


@pytest.fixture
def newest(worker):
    """The newest bundle of a project that can train."""
    BundleFactory()
    return BundleFactory()


def submit(by, **more) -> Job:
    return trainings.submit(project=Project.objects.get(), by=by, **more)


def test_a_training_takes_the_newest_bundle_and_is_audited(newest, by_ben):
    job = submit(by_ben)
    assert (job.status, job.bundle, job.by_name) == ("queued", newest, "ben")
    event = AuditEvent.objects.get()
    assert (event.action, event.object, event.actor) == ("job.submit", f"job:{job.pk}", "ben")


def test_what_fails_after_the_commit_takes_nothing_back(
    newest, by_ben, monkeypatch, caplog, django_capture_on_commit_callbacks
):
    def away(job):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(queue, "send", away)
    with django_capture_on_commit_callbacks(execute=True):
        job = submit(by_ben)
    assert Job.objects.get().pk == job.pk
    assert "server closed the connection" in caplog.text


def test_it_is_sent_by_name_after_the_commit(newest, by_ben, sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = submit(by_ben)
        assert sent == []
    assert sent == [("workers.train", [job.pk])]
    job.refresh_from_db()
    assert job.sent_at is not None


def test_without_a_bundle_there_is_nothing_to_train(worker, by_ben):
    with pytest.raises(errors.NoBundle, match="POST /api/v1/bundles/"):
        submit(by_ben)


def test_without_a_training_environment_nothing_trains(production, by_ben):
    BundleFactory()
    with pytest.raises(errors.NoTrainingEnvironment, match=r"environments\.yml"):
        submit(by_ben)


def test_a_retired_worker_and_one_without_a_url_train_nothing(newest, worker, by_ben, django_now):
    EnvironmentFactory(name="other-worker", kind="training", url="", order=0)
    assert trainings.training_environment(newest.project) == worker
    worker.retired_at = django_now
    worker.save()
    with pytest.raises(errors.NoTrainingEnvironment):
        submit(by_ben)


def test_who_may_not_train_submits_nothing(newest, by_cy, by_ben, ben):
    with pytest.raises(NotFound):
        submit(by_cy)
    take(ben, "training.write")
    with pytest.raises(MissingGrant, match=r"training\.write"):
        submit(by_ben)


def test_a_job_needs_a_user_to_run_as(newest):
    with pytest.raises(errors.SubmitterGone):
        submit(system(COMMAND))


def test_tags_are_held_to_the_permission_of_putting_each(newest, production, experimental, by_ana, by_ben):
    assert submit(by_ben, tags=["experimental", "nightly", "nightly"]).tags == ["experimental", "nightly"]
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        submit(by_ben, tags=["nightly", "production"])
    with pytest.raises(errors.FollowsAnother):
        submit(by_ana, tags=["worker"])
    with pytest.raises(errors.InvalidName):
        submit(by_ben, tags=["No Tag"])
    with pytest.raises(InvalidFields):
        submit(by_ben, tags=[f"tag-{n}" for n in range(21)])
    assert Job.objects.count() == 1


def test_a_broken_config_is_refused_at_once(newest, by_ben):
    with pytest.raises(errors.BundleInvalid, match="config:1: "):
        submit(by_ben, config="pipeline: [")
    with pytest.raises(InvalidFields):
        submit(by_ben, config="#" * (trainings.MAX_CONFIG + 1))


def test_a_model_name_that_is_taken_is_refused(newest, otter, by_ben):
    with pytest.raises(errors.NameTaken):
        submit(by_ben, model_name="brisk-otter")
    with pytest.raises(errors.InvalidName):
        submit(by_ben, model_name="../evil")


def test_a_name_promoted_once_stays_reserved(newest, experimental, otter, by_ana, django_now):
    promotions.promote(environment=experimental, model=otter, by=by_ana)
    type(otter).objects.filter(pk=otter.pk).update(deleted_at=django_now)
    with pytest.raises(errors.NameReserved):
        submit(by_ana, model_name="brisk-otter")


def test_a_name_is_reserved_until_its_job_ends(newest, by_ben):
    first = submit(by_ben, model_name="release-7")
    running = queue.claim(first.pk, worker="any")
    with pytest.raises(errors.NameReserved, match=f"job {first.pk}"):
        submit(by_ben, model_name="release-7")
    jobs.stop(job=running, problem=errors.TrainingUnavailable("away"))
    assert submit(by_ben, model_name="release-7").model_name == "release-7"


# Sending


def test_a_broker_that_is_down_loses_no_job(newest, by_ben, monkeypatch, caplog, django_capture_on_commit_callbacks):
    def down(*_, **__):
        raise ConnectionError("no broker")

    monkeypatch.setattr("controlplane.celery_app.send_task", down)
    with django_capture_on_commit_callbacks(execute=True):
        job = submit(by_ben)
    job.refresh_from_db()
    assert (job.status, job.sent_at) == ("queued", None)
    assert "sent again later" in caplog.text


def age(job: Job, **times) -> None:
    Job.objects.filter(pk=job.pk).update(**times)


# Running


def test_of_several_workers_one_gets_the_job(project):
    job = JobFactory()
    claimed = queue.claim(job.pk, worker="first")
    assert (claimed.status, claimed.worker) == ("running", "first")
    assert claimed.started_at is not None
    assert (claimed.attempts, claimed.lease_until - claimed.started_at) == (1, jobs.LEASE)
    assert queue.claim(job.pk, worker="second") is None


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "errored", "cancelled"])
def test_only_a_queued_job_is_claimed(project, status):
    assert queue.claim(JobFactory(status=status).pk, worker="any") is None


def test_a_job_that_is_gone_is_nobodys(db):
    assert queue.claim(404, worker="any") is None


def test_a_job_acts_as_its_submitter_with_what_they_may_do_now(project, ben):
    job = JobFactory(by=ben)
    assert (jobs.actor(job).name, jobs.actor(job).via) == ("ben", "job")
    job.by = None
    with pytest.raises(errors.SubmitterGone, match="ben"):
        jobs.actor(job)


def test_a_job_may_do_no_more_than_the_token_that_submitted_it(newest, production, by_ana):
    narrow, _ = api_tokens.create(user=by_ana.user, name="ci", by=by_ana, grants=["training.write", "models.write"])
    job = submit(replace(by_ana, token=narrow))
    acts = jobs.actor(queue.claim(job.pk, worker="any"))
    assert acts.may(newest.project, "training.write")
    assert not acts.may_on_environment(newest.project.pk, production.pk, "production", "write")


def test_a_revoked_token_ends_its_job_and_one_that_expired_does_not(newest, by_ana, django_now):
    token, _ = api_tokens.create(user=by_ana.user, name="ci", by=by_ana)
    job = submit(replace(by_ana, token=token))
    ApiToken.objects.update(expires_at=django_now)
    assert jobs.actor(job).token == token
    api_tokens.revoke(token=token, by=by_ana)
    with pytest.raises(Unauthorized, match="revoked"):
        jobs.actor(job)


def test_a_running_job_tells_its_step(project):
    job = JobFactory(status="running")
    jobs.note(job=job, step="training", progress=0.5)
    job.refresh_from_db()
    assert (job.step, job.progress) == ("training", 0.5)


def test_a_job_that_succeeded_names_its_model_and_ends_once(project, otter):
    job = JobFactory(status="running")
    jobs.succeed(job=job, model=otter)
    assert not jobs.stop(job=job, problem=errors.TrainingFailed("late"))
    with pytest.raises(jobs.RunLost):
        jobs.succeed(job=job, model=otter)
    job.refresh_from_db()
    assert (job.status, job.result, job.error_code) == ("succeeded", otter, "")
    assert job.finished_at is not None


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (errors.TrainingFailed("no such component"), "failed"),
        (MissingGrant("training.write"), "failed"),
        (errors.NameTaken("taken"), "failed"),
        (errors.TrainingUnavailable("away"), "errored"),
        (errors.StorageFull("full"), "errored"),
        (errors.ArchiveTruncated("half an archive"), "errored"),
        (errors.NoTrainingEnvironment("retired meanwhile"), "errored"),
    ],
)
def test_failed_is_the_submitters_to_cure_and_errored_is_ours(project, problem, status):
    job = JobFactory(status="running")
    assert jobs.stop(job=job, problem=problem)
    job.refresh_from_db()
    assert (job.status, job.error_code, job.error_detail) == (status, problem.code, problem.detail)


def test_a_deleted_model_leaves_its_job(project):
    job = JobFactory(status="succeeded", result=TrainedModelFactory(), by=UserFactory())
    job.result.delete()
    job.refresh_from_db()
    assert job.result is None


# Lost runs


@pytest.fixture
def looks(db, django_now):
    """Look for lost runs as the clocks do, every few seconds; `looks(after)` seconds from now. How many were lost."""
    jobs.look_for_lost(django_now)

    def look(after: float) -> int:
        look.at += jobs.LOOK_FOR_LOST_EVERY
        until = django_now + timedelta(seconds=after)
        found = 0
        while look.at <= until:
            found += jobs.look_for_lost(look.at)
            look.at += jobs.LOOK_FOR_LOST_EVERY
        return found

    look.at = django_now
    return look


def claimed(job: Job) -> Job:
    run = queue.claim(job.pk, worker="host:7")
    assert run is not None
    return run


def test_a_run_that_is_renewed_goes_on(project, looks, django_now):
    run = claimed(JobFactory())
    for after in range(0, 60, 5):
        age(run, lease_until=looks.at + jobs.LEASE)
        assert looks(after) == 0
    jobs.renew(job=run)
    run.refresh_from_db()
    assert run.status == "running"


def test_a_run_whose_lease_is_over_is_queued_again_and_keeps_its_name(project, looks, sent):
    job = JobFactory(model_name="release-7")
    claimed(job)
    assert looks(30) == 1
    job.refresh_from_db()
    assert (job.status, job.attempts, job.started_at, job.lease_until) == ("queued", 1, None, None)
    assert "its worker was lost" in job.step
    with pytest.raises(errors.NameReserved):
        submit_name("release-7")
    age(job, created_at=job.created_at - timedelta(minutes=1))
    assert queue.send_lost() == 1
    assert sent == [("workers.train", [job.pk])]


def submit_name(name: str) -> None:
    trainings._reserve(Project.objects.get(), name)


def test_a_lost_run_can_do_nothing_any_more_also_while_the_next_one_works(project, looks, otter):
    job = JobFactory()
    lost = claimed(job)
    looks(30)
    for again in (lambda: None, lambda: claimed(job)):
        again()
        before = Job.objects.values().get(pk=job.pk)
        with pytest.raises(jobs.RunLost):
            jobs.renew(job=lost)
        assert not jobs.stop(job=lost, problem=errors.TrainingFailed("late"))
        assert not jobs.crash(job=lost)
        with pytest.raises(jobs.RunLost):
            jobs.note(job=lost, step="late")
        with pytest.raises(jobs.RunLost):
            jobs.succeed(job=lost, model=otter)
        assert Job.objects.values().get(pk=job.pk) == before


def test_a_job_that_loses_every_worker_ends_and_says_why(project, looks):
    job = JobFactory()
    for attempt in range(1, jobs.MAX_ATTEMPTS + 1):
        age(claimed(job), lease_until=looks.at)
        assert looks(60 * attempt) == 1
    job.refresh_from_db()
    assert (job.status, job.error_code, job.attempts) == ("errored", "worker-lost", 3)
    assert "host:7" in job.error_detail
    assert "submit the job again" in job.error_detail
    assert job.finished_at is not None


def test_after_an_outage_every_worker_has_time_to_renew_first(project, looks, django_now):
    run = claimed(JobFactory())
    age(run, lease_until=django_now)
    back = django_now + timedelta(minutes=10)
    assert jobs.look_for_lost(back) == 0
    assert jobs.look_for_lost(back + jobs.LEASE / 2) == 0
    assert jobs.look_for_lost(back + jobs.LEASE + timedelta(seconds=1)) == 1


def test_a_lease_from_a_clock_that_was_ahead_is_cut_to_what_a_lease_is(project, looks, django_now):
    run = claimed(JobFactory())
    age(run, lease_until=django_now + timedelta(hours=3))
    assert looks(20) == 0
    assert looks(40) == 1


def test_a_clock_that_jumps_ahead_loses_no_run(project, looks, django_now):
    run = claimed(JobFactory())
    ahead = django_now + timedelta(hours=3)
    assert jobs.look_for_lost(ahead) == 0
    run.refresh_from_db()
    assert run.lease_until == ahead + jobs.LEASE


def test_of_several_clocks_one_looks(project, looks, django_now):
    age(claimed(JobFactory()), lease_until=django_now)
    at = django_now + timedelta(seconds=6)
    assert [jobs.look_for_lost(at), jobs.look_for_lost(at)] == [1, 0]


def test_a_job_cannot_run_without_a_lease(project):
    job = JobFactory()
    with pytest.raises(IntegrityError):
        age(job, status="running")
