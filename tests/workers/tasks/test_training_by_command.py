"""A training by a local program, from claim to model: without any Rasa server, with its log, and ended when asked."""

import os
import pwd
import threading

import pytest
from django.db import connections

from accounts.models import Project
from environments import stores
from environments.actions import jobs, trainings
from environments.models import Environment, JobLog, TrainedModel
from tests.live import wait_until
from tests.workers.runtimes.local_rasa import ARCHIVE, program
from workers import watching
from workers.tasks import training

# The watch beside a run has a connection of its own.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rasa(settings, tmp_path, bundle, monkeypatch):
    """`rasa(behaviour)`: what the local program does. No project has a training environment."""

    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.2)

    def local(behaviour="save()"):
        settings.TRAINING_RUNTIME, settings.TRAINING_FOLDER = "command", str(tmp_path / "training")
        settings.TRAINING_USER = pwd.getpwuid(os.geteuid()).pw_name
        settings.RASA_COMMAND = program(tmp_path, behaviour)

    assert not Environment.objects.filter(kind="training").exists()
    return local


def run(by):
    job = trainings.submit(project=Project.objects.get(), by=by)
    training.train(job.pk)
    job.refresh_from_db()
    return job


def log_of(job) -> str:
    return "".join(JobLog.objects.filter(job=job).values_list("text", flat=True))


def test_a_bundle_becomes_a_model_and_its_log_tells_how(rasa, by_ben, tmp_path):
    rasa()
    job = run(by_ben)
    assert (job.status, job.error_detail, job.progress) == ("succeeded", "", 1.0)
    with stores.models().open(TrainedModel.objects.get().hash) as stored:
        assert stored.read() == ARCHIVE
    assert (job.result.name, job.runtime) == ("20260301-100000-brisk-otter", "command")
    assert "Starting to train component 'KeywordIntentClassifier'" in log_of(job)
    assert list((tmp_path / "training").iterdir()) == []


def test_no_rasa_server_is_kept_busy_where_there_is_one(rasa, by_ben, worker):
    """Trainings wait for a free server where one trains: here only for their turn."""
    worker.url = "http://127.0.0.1:9"
    worker.save()
    rasa()
    job = run(by_ben)
    assert (job.status, job.environment) == ("succeeded", None)


def test_a_failure_is_the_submitters_and_in_rasas_words(rasa, by_ben):
    rasa("fail('InvalidRule: Contradicting rules')")
    job = run(by_ben)
    assert (job.status, job.error_code) == ("failed", "training-failed")
    assert job.error_detail == "InvalidRule: Contradicting rules"


def test_an_archive_that_is_none_is_refused_as_an_upload_is(rasa, by_ben):
    rasa("os.mkdir('models'); open('models/x.tar.gz', 'w').write('no archive')")
    job = run(by_ben)
    assert (job.status, job.error_code) == ("errored", "archive-not-gzip-tar")
    assert not TrainedModel.objects.exists()


def test_a_training_that_never_ends_is_ended(rasa, by_ben, settings):
    settings.TRAINING_TIMEOUT = 2.0
    rasa("say('begun'); time.sleep(600)")
    job = run(by_ben)
    assert (job.status, job.error_code) == ("failed", "job-timed-out")
    assert "begun" in log_of(job)


def in_a_thread(number):
    try:
        training.train(number)
    finally:
        connections.close_all()


def test_a_training_that_is_cancelled_ends_and_leaves_no_model(rasa, by_ben):
    rasa("say('begun'); time.sleep(600); save()")
    job = trainings.submit(project=Project.objects.get(), by=by_ben)
    thread = threading.Thread(target=in_a_thread, args=[job.pk])
    thread.start()
    wait_until(lambda: "begun" in log_of(job), 30, "the start")
    jobs.cancel(job=job, by=by_ben)
    thread.join(timeout=30)
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert not TrainedModel.objects.exists()


def test_a_user_that_is_not_there_errors_with_the_cure(rasa, by_ben, settings):
    rasa()
    settings.TRAINING_USER = "no-such-user"
    job = run(by_ben)
    assert (job.status, job.error_code) == ("errored", "training-unavailable")
    assert "TRAINING_USER" in job.error_detail
