"""What happened to promotions and jobs, as sentences for whoever gets notifications."""

from environments.actions import notifications
from environments.models import Job, Promotion
from environments.states import Event, JobKind, JobStatus, PromotionStatus

WORDS = {
    JobKind.TRAINING: "Training",
    JobKind.EVALUATION: "Evaluation",
    JobKind.FETCH: "Fetching",
    JobKind.CHECK: "Check",
}
# A cancelled job is no news to who cancelled it.
JOB_EVENTS = {
    JobStatus.SUCCEEDED: Event.JOB_SUCCEEDED,
    JobStatus.FAILED: Event.JOB_FAILED,
    JobStatus.ERRORED: Event.JOB_FAILED,
}


def promotion_made(promotion: Promotion) -> None:
    """A new promotion: begun, or with no model to load done at once."""
    environment, by = promotion.environment.name, promotion.by_name
    before = promotion.previous_model.name if promotion.previous_model else "no model"
    if promotion.model is None:
        event, subject = Event.PROMOTION_SUCCEEDED, f"{environment} is left without a model"
        text = f"{by} took {before} away from it."
    else:
        model = promotion.model.name
        event, subject = Event.PROMOTION_STARTED, f"{model} is being promoted to {environment}"
        verb = f"rolls {environment} back to {model}" if promotion.restores_id else f"promotes {model} to {environment}"
        text = f"{by} {verb}, from {before}."
    _of(promotion, event, subject, text + (f" Reason: {promotion.reason}" if promotion.reason else ""))


def promotion_settled(promotion: Promotion) -> None:
    """What became of it."""
    environment = promotion.environment.name
    model = promotion.model.name if promotion.model else "no model"
    match PromotionStatus(promotion.status):
        case PromotionStatus.SUCCEEDED:
            took = f"{promotion.seconds or 0:.0f} s after {promotion.by_name} promoted it"
            text = f"Every expected replica proved it, {took}."
            _of(promotion, Event.PROMOTION_SUCCEEDED, f"{environment} serves {model}", text)
        case PromotionStatus.FAILED:
            text = f"{promotion.error_detail} Roll back, or let the replica retry."
            _of(promotion, Event.PROMOTION_FAILED, f"{model} is stuck in {environment}", text)
        case PromotionStatus.UNPROVEN:
            _of(promotion, Event.PROMOTION_FAILED, f"{model} is not proved in {environment}", promotion.error_detail)


def _of(promotion: Promotion, event: Event, subject: str, text: str) -> None:
    environment = promotion.environment
    data = {
        "promotion": str(promotion.pk),
        "model": promotion.model.name if promotion.model else None,
        "previous_model": promotion.previous_model.name if promotion.previous_model else None,
        "status": promotion.status,
        "by": promotion.by_name,
    }
    page = f"promotions/{promotion.pk}/"
    notifications.tell(
        project=environment.project,
        event=event,
        subject=subject,
        text=text,
        environment=environment,
        data=data,
        page=page,
    )


def job_ended(job: Job) -> None:
    """How a job ended, in the transaction of its end."""
    event = JOB_EVENTS.get(JobStatus(job.status))
    if event is None:
        return
    name = f"{WORDS[JobKind(job.kind)]} {job.pk}"
    if event is Event.JOB_SUCCEEDED:
        made = f" It made the model {job.result.name}." if job.result else ""
        subject, text = f"{name} succeeded", f"{job.by_name} submitted it.{made}"
    else:
        ours = " It is no fault of what was submitted." if job.status == JobStatus.ERRORED else ""
        subject, text = f"{name} failed", f"{job.error_detail}{ours} {job.by_name} submitted it."
    data = {
        "job": str(job.pk),
        "kind": job.kind,
        "status": job.status,
        "model": job.result.name if job.result else None,
        "error_code": job.error_code,
        "by": job.by_name,
    }
    page = f"training/jobs/{job.pk}/"
    notifications.tell(project=job.project, event=event, subject=subject, text=text, data=data, page=page)
