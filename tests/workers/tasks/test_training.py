"""A training from claim to model, and each way it can end otherwise."""

from dataclasses import replace

import pytest
from django.db import OperationalError

from accounts.actions import api_tokens
from accounts.models import Project
from controlplane import celery_app
from environments import stores
from environments.actions import jobs, promotions, queue, trainings
from environments.models import Job, TrainedModel
from environments.states import JobKind
from tests.factories import take
from tests.fake_rasa import small_archive
from workers.tasks import training


@pytest.fixture(autouse=True)
def impatient(settings):
    settings.TRAINING_PATIENCE = 0


@pytest.fixture
def ready(training_server, bundle, experimental):
    """All that a training needs. Returns the fake Rasa server."""
    return training_server


def run(by, **more):
    job = trainings.submit(project=Project.objects.get(), by=by, **more)
    training.train(job.pk)
    job.refresh_from_db()
    return job


def test_a_bundle_becomes_a_model_of_its_submitter(ready, bundle, by_ben):
    job = run(by_ben)
    assert (job.status, job.error_detail, job.progress) == ("succeeded", "", 1.0)
    model = TrainedModel.objects.get()
    assert job.result == model
    assert (model.name, model.registered_by_name, model.job, model.bundle) == (
        "20260301-100000-brisk-otter",
        "ben",
        job,
        bundle,
    )
    with stores.models().open(model.hash) as stored:
        assert stored.read() == ready.archive
    assert job.worker


def test_the_model_gets_the_name_and_the_tags_that_were_asked_for(ready, experimental, by_ben):
    run(by_ben, model_name="release-7", tags=["experimental", "nightly"])
    model = TrainedModel.objects.get()
    assert model.name == "release-7"
    assert {tag.name for tag in model.tags.all()} == {"experimental", "nightly"}
    assert promotions.latest(experimental).origin == "job"


def test_a_name_of_rasas_making_that_is_there_already_gets_a_suffix(ready, by_ben):
    run(by_ben)
    ready.archive = small_archive()
    job = run(by_ben)
    assert job.result.name.startswith("20260301-100000-brisk-otter-")


def test_without_a_usable_name_of_rasas_the_job_gives_one(ready, by_ben):
    ready.filename = ".hidden.tar.gz"
    job = run(by_ben)
    assert job.result.name.endswith(f"-job-{job.pk}")


def test_another_config_is_trained_with(ready, by_ben):
    run(by_ben, config="language: de\npipeline: [{name: KeywordIntentClassifier}]")
    document = next(body for method, path, _, body in ready.requests if path == "/model/train")
    assert b"language: de" in document
    assert b"RulePolicy" not in document


def test_bad_data_fails_and_says_what_rasa_said(ready, by_ben):
    job = run(by_ben, config="pipeline: [{name: NoSuchComponent}]")
    assert (job.status, job.error_code) == ("failed", "training-failed")
    assert "no such component" in job.error_detail
    assert not TrainedModel.objects.exists()


def test_a_server_that_is_away_errors_with_the_reason(ready, by_ben):
    ready.override = (503, {}, b"")
    job = run(by_ben)
    assert (job.status, job.error_code) == ("errored", "training-unavailable")
    assert "The Rasa server of worker" in job.error_detail


def test_an_archive_that_is_none_errors_and_leaves_nothing(ready, by_ben, home):
    ready.archive = b"no archive"
    job = run(by_ben)
    assert (job.status, job.error_code) == ("errored", "archive-not-gzip-tar")
    assert list(stores.models().hashes()) == []


def test_an_archive_that_breaks_off_errors(ready, by_ben):
    ready.cut_archive_at = 20
    job = run(by_ben)
    assert (job.status, job.error_code) == ("errored", "training-unavailable")


def test_a_bundle_that_is_gone_errors(ready, bundle, by_ben):
    stores.bundles().delete(bundle.hash)
    job = run(by_ben)
    assert (job.status, job.error_code) == ("errored", "bundle-damaged")


def test_permissions_are_read_again_when_it_runs(ready, ben, by_ben):
    job = trainings.submit(project=Project.objects.get(), by=by_ben, tags=["experimental"])
    take(ben, "environments.experimental.write")
    training.train(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("failed", "missing-grant")
    assert "environments.experimental.write" in job.error_detail
    assert not TrainedModel.objects.exists()


def test_a_token_that_is_revoked_takes_its_training_with_it(ready, ben, by_ben):
    token, _ = api_tokens.create(user=ben, name="ci", by=by_ben)
    job = trainings.submit(project=Project.objects.get(), by=replace(by_ben, token=token), tags=["experimental"])
    api_tokens.revoke(token=token, by=by_ben)
    training.train(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("failed", "unauthorized")
    assert not TrainedModel.objects.exists()


def test_a_deactivated_user_trains_nothing(ready, ben, by_ben):
    job = trainings.submit(project=Project.objects.get(), by=by_ben)
    ben.is_active = False
    ben.save()
    training.train(job.pk)
    job.refresh_from_db()
    assert job.status == "failed"
    assert not TrainedModel.objects.exists()


def test_a_token_that_cannot_be_read_ends_the_job_with_the_cure(ready, worker, by_ben):
    worker.sealed_rasa_token = "sesame"
    worker.save()
    job = run(by_ben)
    assert (job.status, job.error_code) == ("errored", "secret-unreadable")
    assert "give the secret again" in job.error_detail
    assert "sesame" not in job.error_detail


def test_a_fault_of_ours_errors_and_goes_to_the_log(ready, by_ben, settings, caplog):
    settings.TRAINING_PATIENCE = "no number"
    job = run(by_ben)
    assert (job.status, job.error_code) == ("errored", "internal-error")
    assert "met a fault" in caplog.text
    assert "sesame" not in caplog.text


def test_a_message_that_comes_twice_runs_once(ready, by_ben):
    job = run(by_ben)
    training.train(job.pk)
    assert len([1 for _, path, _, _ in ready.requests if path == "/model/train"]) == 1


@pytest.fixture
def meanwhile(monkeypatch):
    """`meanwhile(step, happens)`: something happens, once, in the run just before that step is told."""

    def at(step, happens):
        def note(*, job, step: str, **more):
            if step.startswith(wanted) and not happened:
                happened.append(step)
                happens(job)
            tell(job=job, step=step, **more)

        wanted, tell, happened = step, jobs.note, []
        monkeypatch.setattr(jobs, "note", note)

    return at


def lose(job):
    Job.objects.filter(pk=job.pk).update(status="queued", lease_until=None)


@pytest.mark.parametrize("step", ["reading the bundle", "waiting for", "training on", "storing the model"])
def test_a_run_that_was_taken_for_lost_makes_nothing_and_the_next_one_does(ready, by_ben, meanwhile, step):
    meanwhile(step, lose)
    job = run(by_ben)
    assert (job.status, job.attempts) == ("queued", 1)
    assert not TrainedModel.objects.exists()
    training.train(job.pk)
    job.refresh_from_db()
    assert (job.status, job.attempts) == ("succeeded", 2)
    assert TrainedModel.objects.get().job == job


def away(*arguments, **more):
    raise OperationalError("the connection is closed")


def test_a_run_that_cannot_record_what_it_made_is_left_to_be_run_again(ready, by_ben, monkeypatch):
    monkeypatch.setattr(jobs, "succeed", away)
    job = run(by_ben)
    assert (job.status, job.error_code) == ("running", "")


def test_a_database_that_is_away_for_a_moment_ends_no_training(ready, by_ben, meanwhile):
    meanwhile("storing the model", away)
    assert run(by_ben).status == "succeeded"


def test_every_kind_of_job_has_its_task():
    celery_app.loader.import_default_modules()
    assert set(queue.TASKS) == set(JobKind)
    assert set(queue.TASKS.values()) <= set(celery_app.tasks)


def test_every_periodic_step_has_its_task(settings):
    celery_app.loader.import_default_modules()
    assert {step["task"] for step in settings.CELERY_BEAT_SCHEDULE.values()} <= set(celery_app.tasks)
