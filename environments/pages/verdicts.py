"""One sentence first: does an environment serve what was decided; else what is wrong, since when, what cures it.

A verdict claims no more than its report: what was not proved is `unproven`, never `good`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from environments.serving.members import ReplicaReport, live_ones
from environments.serving.reports import EnvironmentReport
from environments.states import Health, Kind, PromotionStatus, ReplicaState, Sync


class Tone(StrEnum):
    """From the best to the worst."""

    GOOD = "good"
    UNPROVEN = "unproven"
    BUSY = "busy"
    DEGRADED = "degraded"
    BAD = "bad"


SEVERITY = list(Tone)
TROUBLE = (ReplicaState.STUCK, ReplicaState.SILENT, ReplicaState.FOREIGN)


@dataclass(frozen=True)
class Cure:
    """`page` names the page of the environment that cures it; `dialog` where it opens over the present one."""

    page: str
    word: str
    icon: str
    dialog: bool = False


CONNECT = Cure("connect", "Connect a server", "plug")
REPLICAS = Cure("replicas", "See the replicas", "list-checks")
RETRY = Cure("replicas", "See and retry", "rotate-cw")
DECIDE = Cure("resume", "Compare and decide", "list-checks")
ROLL_BACK = Cure("rollback", "Roll back…", "undo-2", dialog=True)
PROMOTE = Cure("promote", "Promote…", "arrow-up", dialog=True)


@dataclass(frozen=True)
class Verdict:
    """The sentence is the environment's name, `lead`, the model's name and `tail`; `short` is it for the title of a
    tab. `proof`: when a poll last proved it; `since`: when the trouble began."""

    report: EnvironmentReport
    tone: Tone
    lead: str = ""
    tail: str = ""
    short: str = ""
    reason: str = ""
    proof: datetime | None = None
    since: datetime | None = None
    cure: Cure | None = None

    @property
    def said(self) -> str:
        """The sentence as plain text, without times."""
        model = self.report.model.name if self.report.model else ""
        words = " ".join(part for part in (self.lead, model) if part)
        return f"{self.report.environment.name}: {words}{self.tail}"


def headline(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The worst; of equally bad ones that of the environment that is minded most: protected, then declared first."""
    return min(verdicts, key=_order, default=None)


def _order(verdict: Verdict) -> tuple[int, bool]:
    return -SEVERITY.index(verdict.tone), not verdict.report.environment.protected


def minded(report: EnvironmentReport) -> bool:
    """Whether people are served by it: what a training environment has loaded is no one's trouble."""
    return report.environment.kind == Kind.SERVING


def judge(report: EnvironmentReport, *, may_promote: bool, may_go_back: bool) -> Verdict:
    """The verdict on one environment, with a cure that the one who looks may use."""
    if report.environment.is_frozen:
        return _frozen(report)
    if report.model is None:
        return _on_nothing(report, PROMOTE if may_promote else None)
    match report.sync:
        case Sync.IN_SYNC:
            return _in_sync(report)
        case Sync.ROLLING_OUT:
            proved, expected = figures(report)
            tail = f" is rolling out: {proved} of {expected} {_replicas(expected)} proved it"
            short = f"rolling out {proved}/{expected}"
            return Verdict(report, Tone.BUSY, tail=tail, short=short, since=report.since, cure=REPLICAS)
        case Sync.UNKNOWN:
            return _unknown(report)
    return _out_of_sync(report, may_go_back=may_go_back)


def figures(report: EnvironmentReport) -> tuple[int, int]:
    """Replicas that proved the model, and of how many."""
    proved = sum(member.proved for member in live_ones(report.members))
    return proved, max(report.replicas.expected, proved)


def _replicas(count: int) -> str:
    return "replica" if count == 1 else "replicas"


def _proved(report: EnvironmentReport) -> str:
    proved, expected = figures(report)
    return f"{proved} of {expected} {_replicas(expected)} proved"


def _last_proof(report: EnvironmentReport) -> datetime | None:
    """Each poll with the model's ETag proves it again."""
    heard = [member.last_poll_at or member.proved_at for member in report.members if member.proved]
    return max((at for at in heard if at), default=None)


def _frozen(report: EnvironmentReport) -> Verdict:
    """After a restore nobody has decided anything yet."""
    model = "the backup says" if report.model else "the backup says no model"
    since = report.environment.tag_owner.frozen_at
    return Verdict(report, Tone.DEGRADED, f"frozen, {model}", "", "frozen", _reason(report), None, since, DECIDE)


def _on_nothing(report: EnvironmentReport, cure: Cure | None) -> Verdict:
    if report.sync == Sync.OUT_OF_SYNC:
        lead = "it should serve no model, and a replica still does"
        return Verdict(report, Tone.BAD, lead, short="still serves", since=report.since, cure=REPLICAS)
    return Verdict(report, Tone.UNPROVEN, "no model is promoted to it", short="no model", cure=cure)


def _in_sync(report: EnvironmentReport) -> Verdict:
    proved, expected = figures(report)
    lead, proof = _proved(report), _last_proof(report)
    if report.health == Health.HEALTHY:
        return Verdict(report, Tone.GOOD, lead, short=f"in sync {proved}/{expected}", proof=proof)
    if report.health == Health.UNKNOWN:
        return Verdict(report, Tone.UNPROVEN, lead, ", its health is not known yet", "health unknown", proof=proof)
    tone = Tone.BAD if report.health == Health.UNREACHABLE else Tone.DEGRADED
    return Verdict(
        report,
        tone,
        lead,
        f", but it is {report.health}",
        str(report.health),
        reason=_reason(report),
        proof=proof,
        since=_since(report),
        cure=REPLICAS,
    )


def _unknown(report: EnvironmentReport) -> Verdict:
    lead, short = "not proved yet that it serves", "unproven"
    if report.members:
        reason = "Polls were not heard for a whole interval yet: it is known in a moment."
        return Verdict(report, Tone.UNPROVEN, lead, short=short, reason=reason)
    reason = _reason(report) or "No Rasa server has polled yet."
    return Verdict(report, Tone.UNPROVEN, lead, short=short, reason=reason, since=report.since, cure=CONNECT)


def _out_of_sync(report: EnvironmentReport, *, may_go_back: bool) -> Verdict:
    promotion, silent = report.promotion, not report.replicas.live
    unproven = promotion is not None and promotion.status == PromotionStatus.UNPROVEN
    if silent and unproven and report.health != Health.UNREACHABLE:
        lead = "no replica has proved that it serves"
        return Verdict(report, Tone.UNPROVEN, lead, "", "unproven", _reason(report), None, report.since, CONNECT)
    return Verdict(
        report,
        Tone.BAD,
        lead=f"out of sync, {_proved(report)}",
        short="out of sync",
        reason=_reason(report),
        since=_since(report),
        cure=_cure(report, may_go_back=may_go_back),
    )


def _cure(report: EnvironmentReport, *, may_go_back: bool) -> Cure:
    if not report.members:
        return CONNECT
    if not report.replicas.stuck:
        return REPLICAS
    return ROLL_BACK if may_go_back and not figures(report)[0] else RETRY


def _since(report: EnvironmentReport) -> datetime | None:
    """When the first replica that ails began to; where none does, when it was decided what is to be served."""
    return min((member.since for member in report.members if _ails(member)), default=report.since)


def _ails(member: ReplicaReport) -> bool:
    return member.state in TROUBLE or not member.proved


def _reason(report: EnvironmentReport) -> str:
    return report.reasons[0] if report.reasons else ""
