"""What `up` runs beside the Rasa servers: the web process, a Celery worker for each queue, and beat."""

import os
import sys
from pathlib import Path

from django.conf import settings

from controlplane.supervisor import Program

# Threads that no long request can take, so that a poll always finds one.
FREE_THREADS = 16
# Threads, not processes: a task waits for Rasa, the database or the disk, and one process per worker costs half the
# memory and leaves nothing behind when it is killed.
SHORT_TASKS = 2
# Scrub, sweep, retention and asking servers may take minutes each, and none of them runs twice in a process.
LONG_TASKS = 4


# Celery warns of root at each start; in a container that is who runs it.
QUIET_ROOT = "ignore:You're running the worker with superuser privileges"


def _django(url: str) -> dict[str, str]:
    public = {} if "PUBLIC_URL" in os.environ else {"PUBLIC_URL": url}
    return {"PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": "controlplane.settings", **public}


def blocking_threads() -> int:
    """Of each web process. Its connections are limited by granian's default (1024); a limit near the number of threads
    would let idle keep-alive connections shut out polls."""
    limits = ("MAX_DOWNLOADS", "MAX_UPLOADS", "MAX_WAITS", "MAX_CHATS", "MAX_BODIES")
    return sum(int(getattr(settings, limit)) for limit in limits) + FREE_THREADS


def web(host: str, port: int, url: str) -> Program:
    command = [
        *(sys.executable, "-m", "granian"),
        *("--interface", "wsgi", "--host", host, "--port", str(port), "--no-ws"),
        *("--workers", str(settings.WEB_PROCESSES), "--blocking-threads", str(blocking_threads())),
        # Without it the end of one web process ends the others with it.
        *("--respawn-failed-workers", "--workers-kill-timeout", "3", "--log-level", "error"),
        # Its lines would have the paths of guest links, invitations and resets in them.
        "--no-access-log",
        "controlplane.wsgi:application",
    ]
    return Program("web", command, environment=_django(url), folder=settings.BASE_DIR)


def threads(queue: str) -> int:
    """Of the worker of the queue. The rows say how many jobs may run; a message that comes while so many do finds one
    thread more, and that there is no work."""
    match queue:
        case "training":
            return int(settings.MAX_TRAININGS) + 1
        case "evaluation":
            return int(2 * settings.MAX_EVALUATIONS + settings.MAX_FETCHES) + 1
    return LONG_TASKS + SHORT_TASKS


def worker(queue: str, url: str) -> Program:
    command = [
        *(sys.executable, "-W", QUIET_ROOT, "-m", "celery", "--quiet", "--app", "controlplane", "worker"),
        *("--queues", queue, "--hostname", f"{queue}@%h"),
        *("--pool", "threads", "--concurrency", str(threads(queue))),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    return Program(queue, command, environment=_django(url), folder=settings.BASE_DIR)


def beat(url: str) -> Program:
    command = [
        *(sys.executable, "-m", "celery", "--quiet", "--app", "controlplane", "beat"),
        *("--pidfile", ""),
    ]
    return Program("beat", command, environment=_django(url), folder=settings.BASE_DIR)


def all_of(host: str, port: int, url: str) -> list[Program]:
    """Each queue has a worker of its own, so that short tasks never wait for trainings, nor evaluations for them."""
    return [
        web(host, port, url),
        worker("training", url),
        worker("evaluation", url),
        worker("default", url),
        beat(url),
    ]


def folder_of_rasa(name: str) -> Path:
    return Path(settings.CONTROLPLANE_HOME) / "rasa" / name
