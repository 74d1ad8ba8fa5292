"""What becomes of an installation that was restored or moved, before it starts."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from environments.actions import freezes
from environments.errors import RestoredFromBackup
from environments.models import Delivery, Job, PipelineRun, PipelineStep
from environments.states import ACTIVE_JOBS, DeliveryStatus, JobStatus, StepStatus

ENDED = (
    "The installation was restored from a backup of {as_of:%Y-%m-%d %H:%M} UTC, when this had not ended. What became "
    "of it is not known."
)


@transaction.atomic
def take_over(*, made_at: str, by: Actor) -> None:
    """After a restore: every environment is frozen, and jobs, runs and notifications of that time end. They may have
    been done before the loss, and nothing is done twice."""
    as_of, now = datetime.fromisoformat(made_at), timezone.now()
    told = {
        "backup_of": made_at,
        "frozen": freezes.freeze_all(as_of=as_of, now=now),
        "jobs": _end_jobs(ENDED.format(as_of=as_of), now),
        "runs": _end_runs(ENDED.format(as_of=as_of), now),
        "notifications": _end_deliveries(ENDED.format(as_of=as_of), now),
    }
    audit.record(by=by, action="installation.restore", object="installation:control-plane", project=None, after=told)


def move(*, made_at: str, by: Actor) -> None:
    """After a move to another database: everything goes on as it stood."""
    audit.record(
        by=by, action="installation.move", object="installation:control-plane", project=None, after={"as_of": made_at}
    )


def _ended(detail: str, now: datetime) -> dict[str, Any]:
    code = RestoredFromBackup.code
    return {"status": JobStatus.ERRORED, "error_code": code, "error_detail": detail, "finished_at": now}


def _end_jobs(detail: str, now: datetime) -> int:
    return Job.objects.filter(status__in=ACTIVE_JOBS).update(**_ended(detail, now))


def _end_runs(detail: str, now: datetime) -> int:
    steps = PipelineStep.objects.filter(run__status__in=ACTIVE_JOBS)
    steps.filter(status=StepStatus.RUNNING).update(status=StepStatus.ERRORED, finished_at=now)
    steps.filter(status=StepStatus.WAITING).update(status=StepStatus.SKIPPED)
    return PipelineRun.objects.active().update(**_ended(detail, now))


def _end_deliveries(detail: str, now: datetime) -> int:
    waiting = Delivery.objects.filter(status=DeliveryStatus.WAITING)
    return waiting.update(status=DeliveryStatus.FAILED, error=detail, finished_at=now, next_at=None)
