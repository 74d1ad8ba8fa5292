"""The page of a job and the queue: what they show, what they let do, and for whom."""

import re
from datetime import timedelta
from html import unescape

import pytest

from environments.actions import job_logs, jobs
from environments.actions import queue as actions
from environments.errors import TrainingFailed
from environments.models import Job
from tests.factories import JobFactory, ProjectFactory, take

QUEUE = "/p/default/training/queue/"


def url(job, part=""):
    return f"/p/default/training/jobs/{job.pk}/{part}"


def text(answer) -> str:
    assert answer.status_code == 200
    return unescape(re.sub(r"\s+", " ", answer.content.decode()))


@pytest.fixture
def run(project, bundle):
    return actions.claim(JobFactory(bundle=bundle, model_name="release-7", tags=["nightly"]).pk, worker="host:7")


def htmx(client, path):
    return client.get(path, headers={"hx-request": "true"})


def test_a_queued_job_shows_its_position_and_wait(ben_looks, worker, django_now):
    JobFactory(status="succeeded", started_at=django_now - timedelta(seconds=90), finished_at=django_now)
    first, second = JobFactory.create_batch(2)
    assert "Next in the queue; it should start now" in text(ben_looks.get(url(first)))
    assert "Number 2 in the queue; it should start in about 1 min" in text(ben_looks.get(url(second)))


def test_a_running_job_shows_its_step_progress_and_log(ben_looks, run):
    jobs.note(job=run, step="training on worker", progress=0.25)
    job_logs.append(job=run, text="Epoch 1/4 <script>\n")
    page = text(ben_looks.get(url(run)))
    for shown in ("training on worker", 'value="0.250"', "Epoch 1/4 <script>", "host:7", "release-7", "reserved"):
        assert shown in page
    assert "<script>\n" not in ben_looks.get(url(run)).content.decode()


def test_the_log_is_followed_by_new_text_alone(ben_looks, run):
    job_logs.append(job=run, text="one\n")
    page = ben_looks.get(url(run)).content.decode()
    following = re.search(r'hx-get="([^"]*/log/\?offset=4)"', page)[1]
    assert htmx(ben_looks, following).status_code == 204
    job_logs.append(job=run, text="two & three\n")
    part = htmx(ben_looks, following).content.decode()
    assert '<div hx-swap-oob="beforeend:#log">two &amp; three\n</div>' in part
    assert "/log/?offset=16" in part
    jobs.stop(job=run, problem=TrainingFailed("bad data"))
    last = htmx(ben_looks, f"{url(run, 'log/')}?offset=16").content.decode()
    assert "hx-get" not in last


def test_a_long_log_begins_with_its_end_and_is_there_as_a_whole(ben_looks, run):
    lines = "".join(f"line {number:06}\n" for number in range(30_000))
    job_logs.append(job=run, text=lines)
    page = ben_looks.get(url(run)).content.decode()
    assert len(page) < 100_000
    assert "line 029999" in page
    assert "line 000000" not in page
    whole = ben_looks.get(url(run, "log.txt"))
    assert whole.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert whole.content.decode() == lines


def test_an_offset_that_is_none_is_refused(ben_looks, run):
    assert ben_looks.get(f"{url(run, 'log/')}?offset=x").status_code == 400


def test_a_failed_job_shows_rasas_reason_and_can_be_run_again(ben_looks, run, worker, sent):
    jobs.stop(job=run, problem=TrainingFailed("Contradicting rules:\n- greet and bye"))
    page = text(ben_looks.get(url(run)))
    assert "Contradicting rules: - greet and bye" in page
    assert "Run again" in page
    assert "Traceback" not in page
    assert "does the same" in text(ben_looks.get(url(run, "again/")))
    answer = ben_looks.post(url(run, "again/"), follow=True)
    again = Job.objects.latest("pk")
    assert f"Job {again.pk} is queued, as job {run.pk} was." in text(answer)
    assert (again.bundle, again.model_name, again.tags) == (run.bundle, "release-7", ["nightly"])


def test_run_again_after_a_success_takes_another_name(ben_looks, run, worker, otter, sent):
    Job.objects.filter(pk=run.pk).update(model_name="brisk-otter")
    jobs.succeed(job=run, model=otter)
    ben_looks.post(url(run, "again/"))
    assert Job.objects.latest("pk").model_name == ""


def test_a_succeeded_job_leads_to_its_model_and_to_its_promotion(ben_looks, run, otter, production, experimental):
    jobs.succeed(job=run, model=otter)
    page = ben_looks.get(url(run)).content.decode()
    assert 'href="/p/default/models/brisk-otter/"' in page
    assert "/p/default/environments/experimental/promote/?model=brisk-otter" in page
    assert "/p/default/environments/production/promote/?model=brisk-otter" not in page


def test_cancelling_asks_first_and_then_stops(ben_looks, run):
    assert "what it made so far is dropped" in text(ben_looks.get(url(run, "cancel/")))
    answer = ben_looks.post(url(run, "cancel/"), follow=True)
    assert f"Job {run.pk} is asked to stop." in text(answer)
    assert "stopping: ben cancelled it" in text(answer)
    queued = JobFactory()
    assert f"Job {queued.pk} is cancelled." in text(ben_looks.post(url(queued, "cancel/"), follow=True))


def test_cancelling_what_has_ended_says_so(ben_looks, project):
    job = JobFactory(status="succeeded")
    assert "nothing is left to cancel" in text(ben_looks.get(url(job, "cancel/")))
    assert ben_looks.post(url(job, "cancel/")).status_code == 409


def test_who_may_not_cancel_sees_why(ben_looks, ben, project, run):
    take(ben, "training.write")
    page = text(ben_looks.get(url(run)))
    assert re.search(r'aria-disabled="true" title="[^"]*training\.write[^"]*" id="cancel"', page)
    assert ben_looks.post(url(run, "cancel/")).status_code == 403


def test_the_page_changes_when_the_job_does_and_stops_asking_at_its_end(ben_looks, run):
    changes = url(run, "changes/")
    digest = re.search(r'id="job" data-digest="(\w+)"', ben_looks.get(url(run)).content.decode())[1]
    seen = {"seen": digest}
    assert ben_looks.get(changes, seen).status_code == 204
    jobs.stop(job=run, problem=TrainingFailed("bad data"))
    part = ben_looks.get(changes, seen).content.decode()
    assert "bad data" in part
    assert "data-live" not in part


def test_jobs_of_other_projects_are_not_there(ben_looks, project):
    job = JobFactory(project=ProjectFactory(name="banking"))
    for part in ("", "changes/", "log/", "log.txt", "cancel/", "again/"):
        assert ben_looks.get(url(job, part)).status_code == 404


def test_the_queue_shows_what_runs_and_what_waits_in_its_order(ben_looks, worker, run):
    first, second = JobFactory.create_batch(2)
    page = text(ben_looks.get(QUEUE))
    order = [page.index(f"training {job.pk}<") for job in (run, first, second)]
    assert order == sorted(order)
    assert "worker" in page
    assert ben_looks.get(f"{QUEUE}changes/").status_code == 200


def test_an_empty_queue_says_what_that_means(ben_looks, project):
    assert "What is submitted now starts at once" in text(ben_looks.get(QUEUE))


def test_a_queue_longer_than_the_page_says_how_much_more_waits(ben_looks, worker, bundle, ana):
    Job.objects.bulk_create(
        Job(project=bundle.project, kind="training", bundle=bundle, by=ana, by_name="ana") for _ in range(130)
    )
    assert "… and 30 more" in text(ben_looks.get(QUEUE))
