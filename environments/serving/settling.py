"""What became of promotions: read from the reports, recorded once."""

from datetime import datetime

from environments.actions import promotions
from environments.models import Environment, Promotion
from environments.serving import ledger
from environments.serving.reports import EnvironmentReport, all_proved, reports
from environments.states import PROMOTION_MOVES, PromotionStatus, ReplicaState, Sync

OPEN = [status for status, moves in PROMOTION_MOVES.items() if moves]


def settle_all(now: datetime) -> None:
    """Settle every promotion whose outcome is known by now, and forget replicas that are gone."""
    environments = Environment.objects.active().select_related("project", "follows")
    for report in reports(environments, now):
        _settle(report, now)
        _forget(report, now)


def settle(environment_id: int, now: datetime) -> None:
    """Settle the newest promotion of one environment: called when a new proof came in."""
    environment = Environment.objects.select_related("project", "follows").get(pk=environment_id)
    _settle(reports([environment], now)[0], now)


def _settle(report: EnvironmentReport, now: datetime) -> None:
    promotion = report.promotion
    own = promotion is not None and promotion.environment_id == report.environment.pk
    if promotion is None or not own or promotion.model is None or promotion.status not in OPEN:
        return
    if promotion.model != report.model:
        return  # The tag moved while the evidence was gathered: what it tells is of the model before.
    if all_proved(report):
        promotions.settle(promotion=promotion, status=PromotionStatus.SUCCEEDED, at=_proved_at(report, promotion))
    elif report.environment.is_frozen:
        return  # Nothing rolls out before somebody has decided.
    elif report.replicas.stuck:
        stuck = next(member for member in report.members if member.state is ReplicaState.STUCK)
        detail = f"{stuck.name}: {stuck.reason}"
        promotions.settle(
            promotion=promotion, status=PromotionStatus.FAILED, at=now, error_code="stuck", error_detail=detail
        )
    elif report.sync is Sync.UNKNOWN:
        return  # Nobody listened: that no proof came says nothing.
    elif now - promotion.created_at > report.deadline:
        detail = "No proof came from all expected replicas in time; later proof still counts."
        promotions.settle(
            promotion=promotion, status=PromotionStatus.UNPROVEN, at=now, error_code="unproven", error_detail=detail
        )


def _proved_at(report: EnvironmentReport, promotion: Promotion) -> datetime:
    """When the last replica had proved it."""
    proofs = [member.proved_at for member in report.members if member.proved_at]
    return max([promotion.created_at, *proofs])


def _forget(report: EnvironmentReport, now: datetime) -> None:
    silent = [member for member in report.members if member.state is ReplicaState.SILENT]
    replaced = report.replicas.live >= report.replicas.expected
    gone = [m.name for m in silent if replaced or (m.last_poll_at and now - m.last_poll_at > ledger.FORGOTTEN_AFTER)]
    ledger.forget(report.environment, gone, now)
