"""A run is watched beside its work: kept alive through outages, its log stored, and told when it is over."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from environments.actions import jobs, queue
from environments.errors import JobTimedOut
from environments.models import Job, JobLog
from tests.factories import JobFactory
from tests.live import wait_until
from workers.watching import watched

pytestmark = pytest.mark.django_db(transaction=True)
OFTEN = 0.02


@pytest.fixture
def run():
    job = queue.claim(JobFactory().pk, worker="here")
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(hours=1))
    return job


def is_renewed(job) -> bool:
    job.refresh_from_db()
    return job.lease_until > timezone.now()


def over(watch) -> bool:
    """Whether the run was told that it is over; the next call raises why."""
    return watch._over is not None


def stored(job) -> str:
    return "".join(piece.text for piece in JobLog.objects.filter(job=job))


def test_the_lease_is_renewed_while_the_work_goes_on_and_not_afterwards(run):
    with watched(run, 60, every=OFTEN):
        wait_until(lambda: is_renewed(run), 10, "a renewal")
    ended = Job.objects.get(pk=run.pk).lease_until
    with watched(run, 60, every=60):
        pass
    assert Job.objects.get(pk=run.pk).lease_until == ended


def test_it_goes_on_trying_while_the_database_is_away(run, monkeypatch, caplog):
    failed = []

    def away(*, job):
        failed.append(job)
        raise OperationalError("no route to host")

    with monkeypatch.context() as database, watched(run, 60, every=OFTEN):
        database.setattr(jobs, "renew", away)
        wait_until(lambda: len(failed) >= 3, 10, "three attempts")
        assert not is_renewed(run)
        database.undo()
        wait_until(lambda: is_renewed(run), 10, "a renewal")
    assert "trying again" in caplog.text


def test_a_step_that_the_database_did_not_hear_of_ends_no_run(run, monkeypatch, caplog):
    def away(**step):
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as database, watched(run, 60, every=60) as watch:
        database.setattr(jobs, "note", away)
        watch.step("training: an hour of it", 0.5)
        database.undo()
        watch.step("storing the archive")
    run.refresh_from_db()
    assert run.step == "storing the archive"
    assert "training: an hour of it" in stored(run)
    assert "could not tell its step" in caplog.text


def test_a_run_that_was_taken_back_is_told_and_renewed_no_more(run):
    Job.objects.filter(pk=run.pk).update(status="queued", lease_until=None)
    with watched(run, 60, every=OFTEN) as watch:
        wait_until(lambda: over(watch), 10, "the news")
        for tell in (watch.check, lambda: watch.log("late"), lambda: watch.step("late")):
            with pytest.raises(jobs.RunLost):
                tell()
    assert Job.objects.get(pk=run.pk).lease_until is None
    assert stored(run) == ""


def test_a_run_that_is_to_stop_is_told(run):
    with watched(run, 60, every=OFTEN) as watch:
        Job.objects.filter(pk=run.pk).update(cancel_asked_at=timezone.now())
        wait_until(lambda: over(watch), 10, "the news")
        with pytest.raises(jobs.Cancelled):
            watch.check()


def test_a_run_that_lasts_too_long_is_told(run):
    with watched(run, 0.1, every=OFTEN) as watch:
        wait_until(lambda: over(watch), 10, "the news")
        with pytest.raises(JobTimedOut, match="limit"):
            watch.step("still at it")


def test_what_a_run_waits_for_is_interrupted_and_the_reason_is_raised(run):
    hanging = threading.Event()

    def wait():
        assert hanging.wait(10)
        raise ConnectionError("the connection broke off")

    with watched(run, 60, every=OFTEN) as watch:
        Job.objects.filter(pk=run.pk).update(cancel_asked_at=timezone.now())
        with pytest.raises(jobs.Cancelled), watch.interrupted_by(hanging.set):
            wait()
        with pytest.raises(jobs.Cancelled), watch.interrupted_by(hanging.set):
            pytest.fail("it began although the run is over")


def test_an_interruption_that_fails_is_told_in_the_log_and_the_others_go_on(run, caplog):
    stopped = threading.Event()

    def broken():
        raise RuntimeError("no such process")

    def waits(watch):
        with watch.interrupted_by(broken), watch.interrupted_by(stopped.set):
            Job.objects.filter(pk=run.pk).update(status="queued", lease_until=None)
            assert stopped.wait(10)
            watch.check()

    with watched(run, 60, every=OFTEN) as watch, pytest.raises(jobs.RunLost):
        waits(watch)
    assert "could not be interrupted" in caplog.text


def test_an_error_of_the_work_itself_stays_what_it_is(run):
    with watched(run, 60, every=OFTEN) as watch, pytest.raises(KeyError), watch.interrupted_by(lambda: None):
        raise KeyError("mine")


def test_what_is_logged_is_stored_while_the_work_goes_on_in_its_order(run):
    with watched(run, 60, every=OFTEN) as watch:
        watch.log("one\ntwo")
        wait_until(lambda: stored(run) == "one\n", 10, "the first line")
        watch.log(" halves\nthree")
        wait_until(lambda: stored(run) == "one\ntwo halves\n", 10, "the second line")
    assert stored(run) == "one\ntwo halves\nthree"


def test_steps_stand_in_the_log_with_their_time(run):
    with watched(run, 60, every=60) as watch:
        watch.step("training", 0.1)
        watch.step("training", 0.2)
        assert stored(run)[8:] == " training\n"
    run.refresh_from_db()
    assert (run.step, run.progress) == ("training", 0.1)


def test_a_run_that_prints_a_gigabyte_keeps_its_first_and_its_last_words(run, settings):
    settings.MAX_JOB_LOG_CHARACTERS = 1024**2
    block = "".join(f"{number:09}\n" for number in range(100_000))
    with watched(run, 600, every=OFTEN) as watch:
        watch.log("the first line\n")
        for _ in range(1000):
            watch.log(block)
        watch.log("the last line\n")
    text, offset = "", 0
    while (reading := JobLog.objects.read(run, offset)).text:
        text, offset = text + reading.text, reading.next_offset
    assert text.startswith("the first line\n")
    assert text.endswith("the last line\n")
    assert "characters were left out" in text
    assert len(text) < 1.3 * settings.MAX_JOB_LOG_CHARACTERS


def test_what_could_not_be_stored_is_stored_later(run, monkeypatch):
    with watched(run, 60, every=60) as watch:
        with monkeypatch.context() as database:
            database.setattr("environments.actions.job_logs.append", away_for_the_log)
            watch.log("kept\n")
            assert watch.beat()
        assert watch.beat()
        assert stored(run) == "kept\n"


def away_for_the_log(*, job, text):
    raise OperationalError("no route to host")
