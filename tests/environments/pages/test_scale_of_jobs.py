"""A long queue costs what a short one does: as many queries for 300 jobs that wait as for a page full of them."""

from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments.actions import jobs, queue
from environments.models import Job
from tests.factories import JobFactory


def queries(work) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        work()
    return [query["sql"] for query in captured.captured_queries]


def answers(client, path):
    assert client.get(path).status_code == 200


@pytest.fixture
def wait(project, bundle, ana):
    """So many more trainings wait."""

    def wait(number) -> None:
        JobFactory.create_batch(number, project=project, bundle=bundle, by=ana)

    return wait


@pytest.fixture(params=["list", "list of the queue", "page", "page of the queue", "submit", "claim"])
def work(request, worker, as_ana, ana_looks, sent):
    """Something that is done with a queue."""

    def submit():
        answer = as_ana.post("/api/v1/jobs/", {"kind": "training"}, content_type="application/json")
        assert answer.status_code == 201

    def claim():
        job = queue.claim(Job.objects.filter(status="queued").values_list("pk", flat=True).last(), worker="here")
        claimed.append(job)
        assert job is not None

    claimed: list[Job] = []
    works = {
        "list": partial(answers, as_ana, "/api/v1/jobs/"),
        "list of the queue": partial(answers, as_ana, "/api/v1/jobs/?status=queued"),
        "page": partial(answers, ana_looks, "/p/default/training/"),
        "page of the queue": partial(answers, ana_looks, "/p/default/training/queue/"),
        "submit": submit,
        "claim": claim,
    }

    def work():
        works[request.param]()
        while claimed:
            jobs.crash(job=claimed.pop())

    return work


def test_as_many_queries_for_300_jobs_that_wait_as_for_120(work, wait):
    wait(120)  # more than a page shows
    work()  # what is remembered is read already
    few = queries(work)
    wait(180)
    many = queries(work)
    assert len(many) == len(few), "\n".join(many)
