"""Jobs over HTTP: start a training, watch it."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection

from environments.actions import job_logs, jobs, queue
from environments.api.limits import WAITS
from environments.errors import TrainingFailed
from environments.models import Job
from tests.factories import BundleFactory, JobFactory, ProjectFactory, give, take
from workers.tasks import training

URL = "/api/v1/jobs/"


def submit(client, **body):
    return client.post(URL, {"kind": "training", **body}, content_type="application/json")


def test_a_training_is_started_and_ends_with_a_model(as_ben, training_server, bundle, experimental):
    made = submit(as_ben, model_name="release-7", tags=["experimental"])
    assert made.status_code == 201
    body = made.json()
    assert (body["status"], body["by"], body["bundle"], body["model"]) == ("queued", "ben", str(bundle.pk), None)
    training.train(int(body["id"]))
    ended = as_ben.get(f"{URL}{body['id']}/").json()
    assert (ended["status"], ended["model"], ended["progress"]) == ("succeeded", "release-7", 1.0)
    model = as_ben.get("/api/v1/models/release-7/").json()
    assert (model["tags"], model["job"], model["bundle"]) == (["experimental"], body["id"], str(bundle.pk))


def test_a_named_bundle_is_trained(as_ben, worker):
    older, _newest = BundleFactory.create_batch(2)
    assert submit(as_ben, bundle=str(older.pk)).json()["bundle"] == str(older.pk)


def test_a_failed_training_says_why(as_ben, project):
    job = JobFactory(status="running")
    jobs.stop(job=job, problem=TrainingFailed("Intent greet has no examples."))
    body = as_ben.get(f"{URL}{job.pk}/").json()
    assert (body["status"], body["error_code"]) == ("failed", "training-failed")
    assert body["error_detail"] == "Intent greet has no examples."


def test_jobs_are_listed_newest_first_and_filtered(as_ben, project):
    first, second = JobFactory(status="failed"), JobFactory()
    assert [row["id"] for row in as_ben.get(URL).json()["results"]] == [str(second.pk), str(first.pk)]
    assert [row["id"] for row in as_ben.get(f"{URL}?status=failed&kind=training").json()["results"]] == [str(first.pk)]
    assert as_ben.get(f"{URL}?status=odd").status_code == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "baking"}, "kind"),
        ({"tags": "production"}, "tags"),
        ({"tag": ["x"]}, "tag"),
        ({"config": 3.5, "bundle": []}, "bundle"),
        ({"tags": [f"t{n}" for n in range(30)]}, "tags"),
    ],
)
def test_a_bad_body_names_the_field(as_ben, worker, body, field):
    BundleFactory()
    refused = submit(as_ben, **body)
    assert (refused.status_code, field in refused.json()["errors"]) == (400, True)
    assert not Job.objects.exists()


def test_what_cannot_be_now_is_a_conflict(as_ben, production, otter, worker):
    assert submit(as_ben).json()["type"] == "/problems/no-bundle"
    BundleFactory()
    taken = submit(as_ben, model_name="brisk-otter").json()
    assert taken["type"] == "/problems/name-taken"
    assert taken["detail"] == "There is another model named brisk-otter. Choose another name."
    assert submit(as_ben, model_name="new").status_code == 201
    taken = submit(as_ben, model_name="new")
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/name-reserved")
    worker.delete()
    refused = submit(as_ben)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/no-training-environment")


def test_a_broken_config_is_told_with_its_line(as_ben, worker):
    BundleFactory()
    refused = submit(as_ben, config="pipeline:\n- name: [")
    assert (refused.status_code, "config:2: " in refused.json()["detail"]) == (422, True)


def test_a_tag_needs_its_own_grant(as_ben, production, worker):
    BundleFactory()
    refused = submit(as_ben, tags=["production"])
    assert (refused.status_code, refused.json()["grant"]) == (403, "environments.production.write")


def test_an_outsider_sees_no_jobs(as_cy, worker):
    job = JobFactory()
    assert submit(as_cy).status_code == 404
    assert as_cy.get(URL).status_code == 404
    assert as_cy.get(f"{URL}{job.pk}/").status_code == 404


@pytest.mark.parametrize("grant", ["training.read", "training.write"])
def test_each_needs_its_grant(as_ben, ben, worker, grant):
    job = JobFactory()
    take(ben, grant)
    answers = [submit(as_ben)] if grant == "training.write" else [as_ben.get(URL), as_ben.get(f"{URL}{job.pk}/")]
    assert {(answer.status_code, answer.json()["grant"]) for answer in answers} == {(403, grant)}


def test_jobs_and_bundles_of_another_project_are_not_there(as_ana, worker):
    foreign = JobFactory(project=ProjectFactory(name="banking"))
    for name in (foreign.pk, 404, "nonsense"):
        assert as_ana.get(f"{URL}{name}/").status_code == 404
    other = BundleFactory(project=foreign.project)
    assert submit(as_ana, bundle=str(other.pk)).status_code == 404


# Waiting


def seconds(call) -> tuple[object, float]:
    began = time.monotonic()
    return call(), time.monotonic() - began


def test_a_wait_ends_at_once_for_a_job_that_has_ended(as_ben, project):
    job = JobFactory(status="succeeded")
    answer, took = seconds(lambda: as_ben.get(f"{URL}{job.pk}/?wait=60"))
    assert (answer.json()["status"], took < 5) == ("succeeded", True)


def test_a_wait_that_is_over_tells_the_present_state(as_ben, project):
    job = JobFactory()
    answer, took = seconds(lambda: as_ben.get(f"{URL}{job.pk}/?wait=0.3"))
    assert (answer.json()["status"], took >= 0.3) == ("queued", True)


def test_where_too_many_wait_the_present_state_comes_at_once(as_ben, project, settings):
    settings.MAX_WAITS = 0
    job = JobFactory()
    answer, took = seconds(lambda: as_ben.get(f"{URL}{job.pk}/?wait=60"))
    assert (answer.json()["status"], took < 5) == ("queued", True)
    assert WAITS._taken == 0


@pytest.mark.django_db(transaction=True)
def test_a_wait_ends_with_the_job(as_ben, project):
    job = JobFactory(status="running")
    ended = Job.objects.filter(pk=job.pk)
    timer = threading.Timer(0.5, lambda: in_thread(lambda: ended.update(status="cancelled")))
    timer.start()
    answer, took = seconds(lambda: as_ben.get(f"{URL}{job.pk}/?wait=60"))
    timer.join()
    assert (answer.json()["status"], took < 30) == ("cancelled", True)


def in_thread(change) -> None:
    """Run `change` and close the thread's own connection."""
    try:
        change()
    finally:
        connection.close()


# Logs


def log(client, job, **query):
    return client.get(f"{URL}{job.pk}/log/", query)


def test_a_log_is_followed_by_its_offset_until_it_is_done(as_ben, project):
    job = queue.claim(JobFactory().pk, worker="here")
    assert log(as_ben, job).json() == {"text": "", "next_offset": 0, "done": False}
    job_logs.append(job=job, text="one\n")
    assert log(as_ben, job).json() == {"text": "one\n", "next_offset": 4, "done": False}
    job_logs.append(job=job, text="two\n")
    assert log(as_ben, job, offset=4).json() == {"text": "two\n", "next_offset": 8, "done": False}
    jobs.stop(job=job, problem=TrainingFailed("Intent greet has no examples."))
    assert log(as_ben, job, offset=8).json() == {"text": "", "next_offset": 8, "done": True}


def test_a_log_is_not_done_before_its_end_is_read(as_ben, project):
    job = queue.claim(JobFactory().pk, worker="here")
    job_logs.append(job=job, text="x" * 900_000)
    jobs.end_cancelled(job=job)
    assert [log(as_ben, job, offset=offset).json()["done"] for offset in (0, 800_000)] == [False, True]


@pytest.mark.parametrize("offset", ["-1", "1.5", "x", "", "9" * 30])
def test_an_offset_that_is_none_is_refused(as_ben, project, offset):
    refused = log(as_ben, JobFactory(), offset=offset)
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/bad-request")


def test_the_log_of_a_job_belongs_to_its_project(as_ben, project):
    assert log(as_ben, JobFactory(project=ProjectFactory(name="banking"))).status_code == 404


# Cancelling


def cancel(client, job):
    return client.post(f"{URL}{job.pk}/cancel/")


def test_a_queued_job_is_cancelled_at_once(as_ben, project):
    answer = cancel(as_ben, JobFactory())
    assert (answer.status_code, answer.json()["status"], answer.json()["cancelled_by"]) == (202, "cancelled", "ben")


def test_a_running_job_is_asked_to_stop(as_ben, project):
    job = queue.claim(JobFactory().pk, worker="here")
    for _ in range(2):
        answer = cancel(as_ben, job)
        assert (answer.status_code, answer.json()["status"]) == (202, "running")
        assert answer.json()["cancel_asked_at"] is not None


def test_a_job_that_has_ended_cannot_be_cancelled(as_ben, project):
    refused = cancel(as_ben, JobFactory(status="succeeded"))
    assert (refused.status_code, refused.json()["type"], refused.json()["status"]) == (409, "/problems/job-ended", 409)
    assert cancel(as_ben, JobFactory(project=ProjectFactory(name="banking"))).status_code == 404


def test_the_jobs_of_a_kind_are_for_who_may_read_that_kind(as_ben, ben, project):
    training, evaluation = JobFactory(), JobFactory(kind="evaluation")
    take(ben, "evaluations.read")
    assert as_ben.get(f"{URL}{evaluation.pk}/").json()["grant"] == "evaluations.read"
    assert [job["id"] for job in as_ben.get(URL).json()["results"]] == [str(training.pk)]
    give(ben, project, "evaluations.read")
    take(ben, "training.read")
    assert as_ben.get(f"{URL}{evaluation.pk}/").status_code == 200
    assert as_ben.get(f"{URL}{training.pk}/").json()["grant"] == "training.read"


def test_a_queued_job_tells_its_position_and_how_long_it_may_wait(as_ben, worker, django_now):
    JobFactory(status="succeeded", started_at=django_now - timedelta(seconds=60), finished_at=django_now)
    first, second = JobFactory.create_batch(2)
    alone = as_ben.get(f"{URL}{second.pk}/").json()
    assert (alone["position"], alone["expected_wait"]) == (2, 60.0)
    listed = [(row["id"], row["position"], row["expected_wait"]) for row in as_ben.get(URL).json()["results"]]
    assert listed[:2] == [(str(second.pk), 2, 60.0), (str(first.pk), 1, 0.0)]
    assert listed[2][1:] == (None, None)
