"""A job is cancelled: at once while it waits, at its next step while it runs, and nothing of it counts afterwards."""

from datetime import timedelta

import pytest

from accounts.models import AuditEvent
from accounts.problems import MissingGrant, NotFound
from environments import errors
from environments.actions import jobs, queue
from environments.models import Job
from tests.factories import JobFactory, UserFactory, give, take


@pytest.fixture
def run(project):
    return queue.claim(JobFactory(model_name="release-7").pk, worker="here")


def test_a_queued_job_ends_at_once_and_frees_its_name(project, by_ben):
    job = jobs.cancel(job=JobFactory(model_name="release-7"), by=by_ben)
    assert (job.status, job.cancelled_by_name) == ("cancelled", "ben")
    assert job.finished_at is not None
    assert JobFactory(model_name="release-7")
    event = AuditEvent.objects.get()
    assert (event.action, event.object, event.actor, event.before) == (
        "job.cancel",
        f"job:{job.pk}",
        "ben",
        {"status": "queued"},
    )


def test_a_cancelled_job_is_not_claimed(project, by_ben):
    job = jobs.cancel(job=JobFactory(), by=by_ben)
    assert queue.claim(job.pk, worker="here") is None


def test_a_running_job_goes_on_until_its_work_has_stopped(run, by_ben):
    job = jobs.cancel(job=run, by=by_ben)
    assert (job.status, job.finished_at) == ("running", None)
    for tell in (jobs.renew, lambda *, job: jobs.note(job=job, step="late")):
        with pytest.raises(jobs.Cancelled):
            tell(job=run)
    assert jobs.end_cancelled(job=run)
    job.refresh_from_db()
    assert (job.status, job.step) == ("cancelled", "")


def test_what_a_cancelled_run_made_is_dropped(run, otter, by_ben):
    jobs.cancel(job=run, by=by_ben)
    with pytest.raises(jobs.Cancelled):
        jobs.succeed(job=run, model=otter)
    assert Job.objects.get(pk=run.pk).result is None


def test_asking_twice_is_asking_once(run, by_ben, by_ana):
    jobs.cancel(job=run, by=by_ben)
    assert jobs.cancel(job=run, by=by_ana).cancelled_by_name == "ben"
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("status", ["succeeded", "failed", "errored", "cancelled"])
def test_what_has_ended_cannot_be_cancelled(project, by_ben, status):
    job = JobFactory(status=status)
    with pytest.raises(errors.JobEnded, match=jobs.ENDS[status]):
        jobs.cancel(job=job, by=by_ben)
    assert not AuditEvent.objects.exists()


def test_a_worker_that_is_lost_while_it_should_stop_has_stopped(run, by_ben, django_now):
    jobs.look_for_lost(django_now)
    jobs.cancel(job=run, by=by_ben)
    Job.objects.filter(pk=run.pk).update(lease_until=django_now)
    jobs.look_for_lost(django_now + timedelta(seconds=6))
    run.refresh_from_db()
    assert (run.status, run.cancelled_by_name) == ("cancelled", "ben")


def test_who_may_submit_a_kind_may_cancel_one(project, ben, by_ben, by_cy):
    evaluation, training = JobFactory(kind="evaluation"), JobFactory()
    take(ben, "evaluations.write")
    by_ben = by_ben.anew()
    with pytest.raises(MissingGrant, match=r"evaluations\.write"):
        jobs.cancel(job=evaluation, by=by_ben)
    give(ben, project, "evaluations.write")
    assert jobs.cancel(job=evaluation, by=by_ben.anew()).status == "cancelled"
    take(ben, "training.write")
    with pytest.raises(MissingGrant, match=r"training\.write"):
        jobs.cancel(job=training, by=by_ben.anew())
    with pytest.raises(NotFound):
        jobs.cancel(job=training, by=by_cy)


def test_every_kind_of_job_says_whose_grant_it_needs(project):
    for kind in queue.JobKind:
        job = JobFactory(kind=kind, by=UserFactory())
        assert jobs.permissions.CATEGORIES[job.kind] in ("training", "evaluations")
