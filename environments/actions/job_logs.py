"""What jobs print, stored in pieces while they run, so that a page can follow it. Each job keeps only so much."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from environments.actions.jobs import RunLost
from environments.models import Job, JobLog
from environments.states import JobStatus

LONGEST_PIECE = 64 * 1024


@transaction.atomic
def append(*, job: Job, text: str) -> None:
    """Add to the log of this run of the job. Raises `RunLost`, so that of two runs only the present one writes.

    The last words of a run may come when it has ended.
    """
    this_run = Job.objects.filter(pk=job.pk, attempts=job.attempts).exclude(status=JobStatus.QUEUED)
    if not this_run.select_for_update().exists():
        raise RunLost
    begin = JobLog.objects.end(job)
    starts = range(0, len(text), LONGEST_PIECE)
    pieces = [JobLog(job=job, offset=begin + at, text=text[at : at + LONGEST_PIECE]) for at in starts]
    JobLog.objects.bulk_create(pieces)
    _leave_out_the_middle(job, begin + len(text))


@transaction.atomic
def remove(*, job: Job, by: Actor, why: str) -> bool:
    """Take the log of a job that has ended away and leave a sentence in its place. False where that is done already."""
    removed = Job.objects.filter(pk=job.pk, log_removed_at=None).exclude(finished_at=None)
    if not removed.update(log_removed_at=timezone.now()):
        return False
    JobLog.objects.filter(job=job).delete()
    JobLog.objects.create(job=job, offset=0, text=f"The log was taken away on {timezone.now():%Y-%m-%d} ({why}).\n")
    audit.record(by=by, action="job.remove_log", object=f"job:{job.pk}", project=job.project, after={"why": why})
    return True


def _leave_out_the_middle(job: Job, end: int) -> None:
    """Keep the first half of what a job may keep and the last, each to the end of a piece."""
    half = settings.MAX_JOB_LOG_CHARACTERS // 2
    if end > 2 * half:
        kept_from = JobLog.objects.containing(job, end - half)
        JobLog.objects.filter(job=job, offset__gte=half, offset__lt=kept_from).delete()
