"""Keeps the lease of a job while its work runs, by a thread beside the work."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import close_old_connections, connections

from environments.actions import jobs
from environments.models import Job

logger = logging.getLogger(__name__)

# Several times within `jobs.LEASE`, so that one renewal that fails loses nothing.
EVERY_SECONDS = 5.0


@contextmanager
def kept(job: Job, every: float = EVERY_SECONDS) -> Iterator[None]:
    """Renew the lease of the run every so many seconds, through outages of the database, until the block ends."""
    done = threading.Event()
    thread = threading.Thread(target=_keep, args=(job, done, every), name=f"lease of job {job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        # A renewal that hangs keeps no result from being recorded.
        thread.join(timeout=1)


def _keep(job: Job, done: threading.Event, every: float) -> None:
    try:
        while not done.wait(every) and _renewed(job):
            pass
    finally:
        connections.close_all()


def _renewed(job: Job) -> bool:
    """False once the run is lost for good; an outage is none."""
    close_old_connections()
    try:
        held = jobs.renew(job=job)
    except Exception as error:
        logger.warning("the lease of job %s could not be renewed (%s); trying again", job.pk, type(error).__name__)
        return True
    if not held:
        logger.warning("job %s is no longer run here; what its run makes is dropped", job.pk)
    return held
