"""How long a queued job waits: its position, and what the last ones took."""

from datetime import timedelta

import pytest

from environments import queue_times
from environments.actions import jobs
from environments.models import Job
from tests.factories import EnvironmentFactory, JobFactory, ProjectFactory


@pytest.mark.parametrize(
    ("position", "free_in", "each", "seconds"),
    [
        (1, [0], 60, 0),
        (1, [25], 60, 25),
        (2, [25], 60, 85),
        (4, [0], 60, 180),
        (1, [40, 10], 60, 10),
        (2, [40, 10], 60, 40),
        (3, [40, 10], 60, 70),
        (10_000, [0], 60, 9_999 * 60),
    ],
)
def test_each_waits_for_those_ahead_at_the_first_place_that_is_free(position, free_in, each, seconds):
    assert queue_times.expected(position, free_in, each) == seconds


@pytest.fixture
def past(worker, django_now):
    """`past(60, 70)`: trainings that succeeded after so many seconds."""

    def make(*lasted, **fields):
        for seconds in lasted:
            begun = django_now - timedelta(hours=1)
            ended = begun + timedelta(seconds=seconds)
            JobFactory(**{"status": "succeeded", "started_at": begun, "finished_at": ended} | fields)

    return make


def test_the_wait_follows_from_what_the_last_ones_took_and_what_runs(past, django_now):
    past(50, 60, 70)
    past(1, status="failed")
    past(1, kind="evaluation")
    past(1, project=ProjectFactory(name="other"))
    JobFactory(status="running", started_at=django_now - timedelta(seconds=20))
    first, second = JobFactory.create_batch(2)
    waits = queue_times.of_all([second, first])
    assert (waits[first.pk].position, waits[second.pk].position) == (1, 2)
    assert waits[first.pk].seconds == pytest.approx(40, abs=5)
    assert waits[second.pk].seconds == pytest.approx(100, abs=5)


def test_replicas_of_the_training_environment_share_the_queue(past, worker):
    past(60)
    worker.replicas = 2
    worker.save()
    waiting = JobFactory.create_batch(3)
    assert [round(queue_times.of(job).seconds) for job in waiting] == [0, 0, 60]


def test_one_that_runs_longer_than_the_last_ones_may_end_any_moment(past, django_now):
    past(60)
    JobFactory(status="running", started_at=django_now - timedelta(hours=1))
    assert queue_times.of(JobFactory()).seconds == 0


def test_without_a_history_nothing_is_promised(worker):
    assert queue_times.of(JobFactory()) == queue_times.Wait(1, None)


def test_what_is_not_queued_does_not_wait(worker):
    assert queue_times.of(JobFactory(status="running")) is None


def test_positions_count_those_of_the_project_and_kind_alone(worker, by_ana):
    JobFactory(kind="evaluation")
    JobFactory(project=ProjectFactory(name="other"))
    first, gone, last = JobFactory.create_batch(3)
    jobs.cancel(job=gone, by=by_ana)
    assert [queue_times.of(job) and queue_times.of(job).position for job in (first, last)] == [1, 2]
    assert queue_times.of(Job.objects.get(pk=gone.pk)) is None


def test_an_environment_without_a_url_is_no_place(past, worker):
    EnvironmentFactory(name="other-worker", kind="training", url="", order=0, replicas=5)
    past(60)
    first, second = JobFactory.create_batch(2)
    assert [queue_times.of(job).seconds for job in (first, second)] == [0, 60]
