"""The queue: whose turn it is, how many may run, and what is sent again."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections

from environments import errors
from environments.actions import jobs, queue
from environments.models import Job
from environments.states import JobKind
from tests.factories import EnvironmentFactory, JobFactory, ProjectFactory

TRAINING = JobKind.TRAINING


def trainer(project, **fields):
    return EnvironmentFactory(project=project, name="trainer", kind="training", **fields)


@pytest.fixture
def alpha(project):
    trainer(project)
    return project


@pytest.fixture
def beta(db):
    other = ProjectFactory(name="beta")
    trainer(other)
    return other


def queued(project, number=1, **fields):
    return [JobFactory(project=project, **fields) for _ in range(number)]


def claim(job):
    return queue.claim(job.pk, worker="here")


def end(job):
    assert jobs.stop(job=job, problem=errors.TrainingFailed("bad data"))


def turns(any_job, number):
    """The projects in the order of their turns, when each run ends before the next."""
    order = []
    for _ in range(number):
        run = claim(any_job)
        order.append(run.project.name)
        end(run)
    return order


# Whose turn


def test_projects_take_turns_however_many_jobs_one_has(alpha, beta):
    first, *_ = queued(alpha, 5)
    queued(beta, 2)
    assert turns(first, 7) == ["default", "beta", "default", "beta", "default", "default", "default"]


def test_within_a_project_the_oldest_is_next_whichever_a_message_names(alpha):
    oldest, _, newest = queued(alpha, 3)
    assert claim(newest) == oldest


def test_a_project_that_comes_later_waits_for_one_turn_alone(alpha, beta):
    first, *_ = queued(alpha, 4)
    assert turns(first, 2) == ["default", "default"]
    queued(beta)
    assert turns(first, 2) == ["beta", "default"]


def test_a_message_of_one_kind_starts_none_of_another(alpha):
    training, evaluation = JobFactory(project=alpha), JobFactory(project=alpha, kind="evaluation")
    assert claim(evaluation) == evaluation
    assert claim(training) == training


# How many


def test_one_server_trains_one_at_a_time_and_two_replicas_two(alpha):
    first, second, third = queued(alpha, 3)
    assert claim(first).environment.name == "trainer"
    assert claim(second) is None
    alpha.environments.update(replicas=2)
    assert claim(second) == second
    assert claim(third) is None
    end(Job.objects.get(pk=first.pk))
    assert claim(third) == third


def test_a_server_tests_a_model_beside_a_training(alpha):
    training, evaluation, other = JobFactory(project=alpha), *queued(alpha, 2, kind="evaluation")
    assert claim(training)
    assert claim(evaluation) == evaluation
    assert claim(other) is None


def test_projects_with_servers_of_their_own_train_at_once_up_to_the_limit(alpha, beta, settings):
    settings.MAX_TRAININGS = 2
    gamma = ProjectFactory(name="gamma")
    trainer(gamma)
    jobs_of = [queued(project)[0] for project in (alpha, beta, gamma)]
    runs = [claim(job) for job in jobs_of]
    assert [run and run.project.name for run in runs] == ["default", "beta", None]


def test_a_job_of_a_project_without_a_training_environment_is_claimed_to_find_that_out(project):
    run = claim(JobFactory())
    assert run.environment is None


def test_a_retired_environment_and_one_without_a_url_train_nothing(alpha, django_now):
    alpha.environments.update(retired_at=django_now)
    EnvironmentFactory(project=alpha, name="no-url", kind="training", url="")
    assert queue.trainers([alpha.pk]) == {}


@pytest.mark.parametrize(("kind", "limit"), [("fetch", "MAX_FETCHES"), ("evaluation", "MAX_EVALUATIONS")])
def test_every_kind_has_its_limit(project, settings, kind, limit):
    setattr(settings, limit, 1)
    first, second = queued(project, 2, kind=kind)
    assert claim(first)
    assert claim(second) is None


def test_every_kind_of_job_has_a_task_and_a_limit():
    assert set(queue.TASKS) == set(queue.MOST_AT_ONCE) == set(JobKind)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_of_many_claims_at_once_no_more_win_than_there_are_places():
    project = ProjectFactory(name="default")
    trainer(project, replicas=2)
    waiting = queued(project, 8)
    won, barrier = [], threading.Barrier(8)

    def race(job):
        barrier.wait()
        won.append(claim(job))
        connections.close_all()

    threads = [threading.Thread(target=race, args=(job,)) for job in waiting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 8
    assert sorted(run.pk for run in won if run) == [job.pk for job in waiting[:2]]


# A place becomes free


def test_the_end_of_a_job_sends_the_next_one(alpha, sent, django_capture_on_commit_callbacks):
    first, second = queued(alpha, 2)
    run = claim(first)
    with django_capture_on_commit_callbacks(execute=True):
        end(run)
    assert sent == [("workers.train", [second.pk])]


def test_the_end_of_the_last_one_sends_nothing(alpha, sent, django_capture_on_commit_callbacks):
    run = claim(*queued(alpha))
    with django_capture_on_commit_callbacks(execute=True):
        end(run)
    assert sent == []


# Sending again


def age(job: Job, **times) -> None:
    Job.objects.filter(pk=job.pk).update(**times)


def sent_before(job: Job, now, **ago) -> None:
    age(job, created_at=now - timedelta(hours=1), sent_at=now - timedelta(**ago))


def test_what_never_left_is_sent_again_soon(alpha, sent, django_now):
    (unsent,) = queued(alpha)
    assert queue.send_lost() == 0
    age(unsent, created_at=django_now - timedelta(seconds=11))
    assert queue.send_lost() == 1
    assert sent == [("workers.train", [unsent.pk])]
    assert queue.send_lost() == 0


def test_a_message_that_should_have_come_long_ago_is_sent_again_once(alpha, beta, sent, django_now):
    for job in (*queued(alpha, 3), *queued(beta, 3)):
        sent_before(job, django_now, seconds=19)
    assert queue.send_lost() == 0
    for job in Job.objects.all():
        sent_before(job, django_now, seconds=21)
    first = [jobs[0] for jobs in (alpha.jobs.order_by("pk"), beta.jobs.order_by("pk"))]
    assert queue.send_lost() == 2
    assert sent == [("workers.train", [job.pk]) for job in first]
    # It waits for an answer to that before it floods the broker.
    assert queue.send_lost() == 0


def test_what_could_not_run_now_is_not_sent(alpha, sent, django_now):
    first, second = queued(alpha, 2)
    claim(first)
    sent_before(second, django_now, hours=5)
    assert queue.send_lost() == 0


@pytest.mark.parametrize("field", ["created_at", "sent_at"])
def test_a_time_that_is_yet_to_come_proves_nothing(alpha, sent, django_now, field):
    (job,) = queued(alpha)
    age(job, **{field: django_now + timedelta(hours=2)})
    assert queue.send_lost() == 1


def test_a_broker_that_is_down_is_asked_once_for_all(alpha, beta, django_now, monkeypatch):
    asked = []

    def down(*_, **__):
        asked.append(1)
        raise ConnectionError("no broker")

    monkeypatch.setattr("controlplane.celery_app.send_task", down)
    for job in (*queued(alpha, 3), *queued(beta, 3)):
        age(job, created_at=django_now - timedelta(seconds=11))
    assert queue.send_lost() == 0
    assert len(asked) == 1


# Costs


@pytest.mark.parametrize("waiting", [1, 200])
def test_a_claim_costs_the_same_however_many_wait(alpha, beta, waiting, django_assert_max_num_queries):
    first, *_ = queued(alpha, waiting)
    with django_assert_max_num_queries(20):
        assert claim(first)
