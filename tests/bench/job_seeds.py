"""Jobs to measure with; run inside the installation."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import current_app
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actions import api_tokens
from accounts.actor import COMMAND, Actor
from accounts.models import Project, User
from environments.actions import jobs, queue, trainings
from environments.models import Bundle, Job
from environments.states import JobKind
from tests.bench.seeds import BATCH
from tests.factories import BundleFactory
from workers.tasks import running
from workers.watching import Watch

REPEATS = 15
QUEUE = "training"


def _project_and_bundle() -> tuple[Project, Bundle]:
    project = Project.objects.get(name="default")
    return project, Bundle.objects.first() or BundleFactory(project=project)


def queued(number: int) -> dict[str, int]:
    """So many more trainings that wait, each with its message in the broker."""
    project, bundle = _project_and_bundle()
    user = User.objects.get(username="admin")
    fields: dict[str, Any] = {"project": project, "bundle": bundle, "by": user, "by_name": user.username}
    waiting = (Job(kind=JobKind.TRAINING, sent_at=timezone.now(), **fields) for _ in range(number))
    for job in Job.objects.bulk_create(waiting, batch_size=BATCH):
        current_app.send_task(queue.TASKS[JobKind.TRAINING], args=[job.pk])
    return {"queued": Job.objects.filter(status="queued").count()}


def costs() -> dict[str, dict[str, float]]:
    """The seconds (the least of some) and the queries of all that is done with a queue."""
    user = User.objects.get(username="admin")
    _, secret = api_tokens.create(user=user, name="bench", by=Actor(user=user, via=COMMAND))
    browser, scripts = Client(), Client(headers={"authorization": f"Bearer {secret}"})
    browser.force_login(user)
    with current_app.connection_for_read() as broker, broker.SimpleQueue(current_app.amqp.queues[QUEUE]) as messages:
        claims: list[Job] = []
        return {
            "submit": _cost(partial(_submit, scripts)),
            "list by API": _cost(partial(_get, scripts, "/api/v1/jobs/")),
            "page of trainings": _cost(partial(_get, browser, "/p/default/training/")),
            "page of the queue": _cost(partial(_get, browser, "/p/default/training/queue/")),
            "claim": _cost(partial(_claim, messages, claims), after=lambda: jobs.crash(job=claims.pop())),
        }


def _cost(work: Callable[[], object], after: Callable[[], object] = lambda: None) -> dict[str, float]:
    work()  # what is loaded once is loaded
    after()
    with CaptureQueriesContext(connection) as queries:
        work()
    after()
    return {"queries": len(queries), "seconds": min(_seconds(work, after) for _ in range(REPEATS))}


def _seconds(work: Callable[[], object], after: Callable[[], object]) -> float:
    """On SQLite of the processor, which does not count the neighbours of a shared machine."""
    clock = time.process_time if connection.vendor == "sqlite" else time.perf_counter
    begun = clock()
    work()
    seconds = clock() - begun
    after()
    return seconds


def _submit(client: Client) -> None:
    answer = client.post("/api/v1/jobs/", {"kind": "training"}, content_type="application/json")
    if answer.status_code != 201:
        raise RuntimeError(f"A job was refused: {answer.content!r}")


def _get(client: Client, path: str) -> None:
    answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")


def _claim(messages: Any, claims: list[Job]) -> None:
    """What a worker does that is free: take the oldest message, and the job that it leads to."""
    message = messages.get(block=False)
    message.ack()
    [job_id], *_ = message.payload
    job = queue.claim(job_id, worker="bench")
    if job is None:
        raise RuntimeError(f"Job {job_id} could not be claimed.")
    claims.append(job)


def printing(rate: int, seconds: float) -> dict[str, str]:
    """Run a job that prints so many lines a second, each with the time, as long as that."""
    project, bundle = _project_and_bundle()
    by = Actor(user=User.objects.get(username="admin"), via=COMMAND)
    job = trainings.submit(project=project, by=by, bundle=bundle)
    running.run(job.pk, partial(_print, rate=rate, seconds=seconds))
    job.refresh_from_db()
    return {"status": job.status}


def _print(job: Job, watch: Watch, *, rate: int, seconds: float) -> None:
    begun = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        watch.log(f"line {number} at {time.time():.4f}\n")
