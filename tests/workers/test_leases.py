"""A run is kept alive beside its work, and no outage ends that."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from environments.actions import jobs
from environments.models import Job
from tests.factories import JobFactory
from tests.live import wait_until
from workers import leases

pytestmark = pytest.mark.django_db(transaction=True)
OFTEN = 0.02


@pytest.fixture
def run():
    job = jobs.claim(JobFactory().pk, worker="here")
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(hours=1))
    return job


def is_renewed(job) -> bool:
    job.refresh_from_db()
    return job.lease_until > timezone.now()


def test_the_lease_is_renewed_while_the_work_goes_on_and_not_afterwards(run):
    with leases.kept(run, every=OFTEN):
        wait_until(lambda: is_renewed(run), 10, "a renewal")
    ended = Job.objects.get(pk=run.pk).lease_until
    with leases.kept(run, every=60):
        pass
    assert Job.objects.get(pk=run.pk).lease_until == ended


def test_it_goes_on_trying_while_the_database_is_away(run, monkeypatch, caplog):
    failed = []

    def away(*, job):
        failed.append(job)
        raise OperationalError("no route to host")

    with monkeypatch.context() as database, leases.kept(run, every=OFTEN):
        database.setattr(jobs, "renew", away)
        wait_until(lambda: len(failed) >= 3, 10, "three attempts")
        assert not is_renewed(run)
        database.undo()
        wait_until(lambda: is_renewed(run), 10, "a renewal")
    assert "trying again" in caplog.text


def test_a_run_that_was_taken_back_is_renewed_no_more(run, caplog):
    Job.objects.filter(pk=run.pk).update(status="queued", lease_until=None)
    with leases.kept(run, every=OFTEN):
        wait_until(lambda: "no longer run here" in caplog.text, 10, "the news")
    assert Job.objects.get(pk=run.pk).lease_until is None
