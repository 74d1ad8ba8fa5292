"""`/healthz`: this process is alive. `/readyz`: the parts that requests need, each with its state. No credentials."""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from controlplane.celery import app
from controlplane.fitness import of_this_process
from environments.serving.outages import read_patience

logger = logging.getLogger(__name__)

BROKER_TIMEOUT = 2.0


def check_database() -> None:
    with read_patience(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_broker() -> None:
    with app.connection_for_write(connect_timeout=BROKER_TIMEOUT) as broker:
        broker.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT)


def check_cache() -> None:
    cache.set("readyz", "x", timeout=1)


def check_storage() -> None:
    """Archives can be read and new ones written."""
    with tempfile.TemporaryFile(dir=Path(settings.CONTROLPLANE_HOME)) as file:
        file.write(b"x")
        file.flush()
        os.fsync(file.fileno())


# Work that nobody carries waits in its rows, and the ledger goes on in the database, so a broker or cache that is away
# keeps no request from being answered: an instance that gets no requests for it would no longer answer the polls of
# Rasa servers either.
PARTS: dict[str, tuple[Callable[[], None], bool]] = {
    "database": (check_database, True),
    "broker": (check_broker, False),
    "cache": (check_cache, False),
    "storage": (check_storage, True),
}


def state_of(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except Exception:  # whatever it is, this part does not work; the log has the reason, an open page must not
        logger.warning("%s is not ready", name, exc_info=True)
        return "unavailable"
    return "ok"


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


def fitness_of_this_process() -> dict[str, str]:
    """Whether it fits the database and the processes beside it, with the cure where not; and what it does not share
    with them, though that keeps no request from being answered."""
    fitness = of_this_process()
    if fitness is None:
        return {"instance": "ok"}
    shared = dict.fromkeys(sorted(fitness.unshared), "not shared")
    if fitness.problem:
        return {"instance": fitness.problem.code, "detail": fitness.problem.detail, **shared}
    return {"instance": "ok", **shared}


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    states = {name: state_of(name, check) for name, (check, _) in PARTS.items()}
    states |= fitness_of_this_process()
    ready = all(states[name] == "ok" for name, (_, needed) in PARTS.items() if needed) and states["instance"] == "ok"
    status = "ready" if ready else "unavailable"
    return JsonResponse({"status": status, **states}, status=200 if ready else 503)
