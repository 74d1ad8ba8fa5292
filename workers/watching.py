"""Watches a run of a job: renews its lease, stores what it prints, and tells it when it is over."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from django.db import InterfaceError, OperationalError, close_old_connections, connections
from django.utils import timezone

from environments.actions import job_logs, jobs
from environments.errors import JobTimedOut
from environments.models import Job
from workers.output import Output

logger = logging.getLogger(__name__)

# Several times within `queue.LEASE`, so that one renewal that fails loses nothing; it is also how soon a run is told.
EVERY_SECONDS = 0.5
# Progress within one step is written no more often.
PROGRESS_EVERY = 1.0


class Watch:
    """What a run tells while it works, and how it learns that it is over: each method then raises why, `jobs.RunLost`,
    `jobs.Cancelled` or, when it took too long, the problem `JobTimedOut`."""

    def __init__(self, job: Job, seconds: float) -> None:
        self.job = job
        self._deadline, self._seconds = time.monotonic() + seconds, seconds
        self._over: Exception | None = None
        self._interruptions: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._output, self._storing, self._unstored = Output(), threading.Lock(), ""
        self._step, self._told_at = "", 0.0

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def step(self, text: str, progress: float | None = None) -> None:
        """What the run is at, and how far it is (0 to 1) where that is known."""
        self.check()
        if text == self._step and time.monotonic() - self._told_at < PROGRESS_EVERY:
            return
        if text != self._step:
            self.log(f"{timezone.now():%H:%M:%S} {text}\n")
        self._told_at = time.monotonic()
        try:
            if text != self._step:
                self.store()
            jobs.note(job=self.job, step=text, progress=progress)
        except (OperationalError, InterfaceError) as error:
            # What runs for an hour needs no database now: the next step is told by a new connection, and what was
            # logged is stored by the thread beside the run.
            logger.warning("job %s could not tell its step (%s)", self.job.pk, type(error).__name__)
            close_old_connections()
        self._step = text

    def log(self, text: str) -> None:
        """Text for the log of the job, as it came: it is made harmless, loses its secrets, and is stored soon."""
        with self._lock:
            self._output.add(text)
        self.check()

    def check(self) -> None:
        if self._over is not None:
            raise self._over

    @contextmanager
    def interrupted_by(self, stop: Callable[[], object]) -> Iterator[None]:
        """While the block runs, `stop` is called as soon as the run is over, by another thread: it ends what the block
        waits for. Whatever error comes of that, the block raises why the run is over."""
        self._register(stop)
        try:
            yield
        except Exception:
            self.check()
            raise
        finally:
            with self._lock:
                self._interruptions.remove(stop)

    def _register(self, stop: Callable[[], object]) -> None:
        with self._lock:
            self.check()
            self._interruptions.append(stop)

    def store(self, *, all_of_it: bool = False) -> None:
        """Store what was logged. Raises as the others do."""
        with self._storing:
            if not self._unstored:
                with self._lock:
                    self._unstored = self._output.take(all_of_it=all_of_it)
            if self._unstored:
                job_logs.append(job=self.job, text=self._unstored)
                self._unstored = ""

    # By the thread beside the run

    def beat(self) -> bool:
        """Renew the lease and store what was logged; False once the run is over, which no outage of the database is."""
        close_old_connections()
        try:
            jobs.renew(job=self.job)
            self.store()
        except (jobs.RunLost, jobs.Cancelled) as over:
            return self._end(over)
        except Exception as error:
            logger.warning("job %s could not be renewed (%s); trying again", self.job.pk, type(error).__name__)
        if not self.seconds_left:
            return self._end(_too_long(self._seconds))
        return True

    def _end(self, over: Exception) -> bool:
        # Also of a run that has just recorded its result: no reason to worry.
        logger.info("this run of job %s is over (%s)", self.job.pk, type(over).__name__)
        with self._lock:
            self._over = over
            interruptions = list(self._interruptions)
        for stop in interruptions:
            try:
                stop()
            except Exception:
                logger.exception("job %s could not be interrupted", self.job.pk)
        return False


def _too_long(seconds: float) -> JobTimedOut:
    return JobTimedOut(
        f"The job was stopped after {seconds:.0f} seconds, the longest it may take. Give it less to do, or have the "
        "limit raised."
    )


@contextmanager
def watched(job: Job, seconds: float, every: float | None = None) -> Iterator[Watch]:
    """The watch over the run until the block ends, which may last so many seconds."""
    watch, done = Watch(job, seconds), threading.Event()
    keep = partial(_keep, watch, done, every or EVERY_SECONDS)
    thread = threading.Thread(target=keep, name=f"watch over job {job.pk}", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        # A renewal that hangs keeps no result from being recorded.
        thread.join(timeout=1)
        _store_the_rest(watch)


def _keep(watch: Watch, done: threading.Event, every: float) -> None:
    try:
        while not done.wait(every) and watch.beat():
            pass
    finally:
        connections.close_all()


def _store_the_rest(watch: Watch) -> None:
    try:
        watch.store()
        watch.store(all_of_it=True)
    except jobs.RunLost:
        pass
    except Exception as error:
        logger.warning("the end of the log of job %s could not be stored (%s)", watch.job.pk, type(error).__name__)
