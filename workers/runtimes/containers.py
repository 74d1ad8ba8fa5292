"""The containers of jobs on the engine: by which labels they are known, and which of them nobody waits for any more."""

import hmac
import logging
from collections.abc import Iterable, Mapping
from hashlib import sha256

from django.conf import settings

from environments.clients.docker.errors import DockerError
from environments.clients.docker.runs import Runs
from environments.models import Job
from environments.states import JobStatus

logger = logging.getLogger(__name__)

INSTALLATION, JOB, ATTEMPT = "controlplane.installation", "controlplane.job", "controlplane.attempt"


def labels(job: Job) -> dict[str, str]:
    """Of one run of the job. Two installations on one engine have jobs of the same number."""
    return {INSTALLATION: _name(settings.SECRET_KEY), JOB: str(job.pk), ATTEMPT: str(job.attempts)}


def _name(key: str) -> str:
    return hmac.new(key.encode(), b"containers of jobs", sha256).hexdigest()[:16]


def sweep(runs: Runs) -> int:
    """Remove containers whose run is over, as of a worker that was killed; how many it were."""
    try:
        found = _ours(runs)
        orphans = set(found) - _wanted(found)
        for identifier in orphans:
            runs.remove(identifier)
    except DockerError as error:
        logger.warning("containers of jobs could not be swept (%s); the next sweep tries again", error)
        return 0
    if orphans:
        logger.info("%d containers of runs whose worker was killed were removed", len(orphans))
    return len(orphans)


def _ours(runs: Runs) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        found |= runs.labelled([f"{INSTALLATION}={_name(key)}", JOB])
    return found


def _wanted(found: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Those of runs that go on: asked for after they were listed, so that one that has just begun is among them."""
    alive = _alive(labels.get(JOB, "") for labels in found.values())
    return {
        identifier for identifier, labels in found.items() if (labels.get(JOB, ""), labels.get(ATTEMPT, "")) in alive
    }


def _alive(numbers: Iterable[str]) -> set[tuple[str, str]]:
    known = [number for number in numbers if number.isdecimal() and len(number) < 19]
    rows = Job.objects.filter(pk__in=known, status=JobStatus.RUNNING).values_list("pk", "attempts")
    return {(str(pk), str(attempts)) for pk, attempts in rows}
