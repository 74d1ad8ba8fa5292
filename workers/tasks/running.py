"""The life of any job in a worker: claimed, watched while it works, ended by what came of it."""

import logging
import os
import socket
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError

from accounts.problems import Problem
from environments.actions import jobs, queue
from environments.models import Job
from workers.watching import Watch, watched

logger = logging.getLogger(__name__)


def run(job_id: int, work: Callable[[Job, Watch], None], seconds: float | None = None) -> None:
    """Run the job, if it still waits to be run, for at most so many seconds (None: those of a training).

    `work` may end the job in the transaction that records what it made (`jobs.succeed`); when it only returns, the job
    succeeded. It raises a `Problem` where the job cannot be done.
    """
    job = queue.claim(job_id, worker=f"{socket.gethostname()}:{os.getpid()}")
    if job is None:
        return
    try:
        with watched(job, settings.TRAINING_TIMEOUT if seconds is None else seconds) as watch:
            work(job, watch)
        jobs.succeed_if_running(job=job)
    except jobs.Cancelled:
        jobs.end_cancelled(job=job)
    except jobs.RunLost:
        logger.warning("a run of job %s was taken for lost; what it made is dropped", job.pk)
    except (OperationalError, InterfaceError):
        # The row keeps saying that it runs, until its lease is over and it is queued again.
        logger.warning("the database went away under job %s; it will be run again", job.pk, exc_info=True)
    except Problem as problem:
        logger.info("job %s did not succeed: %s", job.pk, problem.detail)
        jobs.stop(job=job, problem=problem)
    except Exception:
        logger.exception("job %s met a fault", job.pk)
        jobs.crash(job=job)
