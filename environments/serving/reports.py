"""What an environment serves, and how that is known: the one answer that API, pages and commands give.

Sync and health are computed here from the evidence, never stored and never assumed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from environments import decisions
from environments.models import Environment, Promotion, TrainedModel
from environments.serving.evidence import Evidence, gather
from environments.serving.members import ReplicaReport, live_ones, members_of
from environments.states import Health, PromotionStatus, ReplicaState, Sync

# After this a promotion without proof is called unproven: so many intervals, and so many seconds.
DEADLINE_INTERVALS = 10
DEADLINE_SECONDS = 120
# A server that loads a model answers nothing meanwhile: one check without an answer is no news.
FAILURES_THAT_COUNT = 2


@dataclass(frozen=True)
class Counts:
    """Replicas by state; `expected` is declared, `live` counts all but silent ones."""

    expected: int
    live: int
    serving: int
    loading: int
    stuck: int
    silent: int
    empty: int
    foreign: int


@dataclass(frozen=True)
class EnvironmentReport:
    """`reasons` are sentences that say why sync or health is not as it should be. `promotion` is the newest one of
    the environment whose tag this one pulls; `interval` the seconds between pulls that were assumed."""

    environment: Environment
    model: TrainedModel | None
    sync: Sync
    health: Health
    replicas: Counts
    since: datetime | None
    promoted_by: str | None
    reasons: tuple[str, ...]
    members: tuple[ReplicaReport, ...]
    promotion: Promotion | None
    interval: float

    @property
    def deadline(self) -> timedelta:
        """How long a promotion may go without proof."""
        return timedelta(seconds=DEADLINE_INTERVALS * self.interval + DEADLINE_SECONDS)


def report(environment: Environment, now: datetime | None = None) -> EnvironmentReport:
    return reports([environment], now)[0]


def reports(environments: Iterable[Environment], now: datetime | None = None) -> list[EnvironmentReport]:
    """A report of each environment, in their order, with a constant number of queries."""
    return [judge(evidence) for evidence in gather(environments, now or timezone.now())]


def judge(evidence: Evidence) -> EnvironmentReport:
    """What the evidence says, and no more than it proves."""
    environment, promotion = evidence.environment, evidence.promotion
    members = members_of(evidence)
    counts = _counts(environment, members)
    interval = _interval(environment, members)
    contradiction = _contradiction(evidence, members)
    sync = _sync(evidence, members, counts, interval, contradiction)
    health, reasons = _health(evidence, members, counts, interval)
    return EnvironmentReport(
        environment=environment,
        model=evidence.target,
        sync=sync,
        health=Health.DEGRADED if contradiction and health is Health.HEALTHY else health,
        replicas=counts,
        since=promotion.created_at if promotion else None,
        promoted_by=promotion.by_name if promotion else None,
        reasons=(
            *_frozen(environment),
            *reasons,
            *([contradiction] if contradiction else []),
            *_laggards(sync, members),
        ),
        members=tuple(members),
        promotion=promotion,
        interval=interval,
    )


# Replicas


def _counts(environment: Environment, members: Sequence[ReplicaReport]) -> Counts:
    by_state = Counter(member.state for member in members)
    return Counts(
        expected=environment.replicas,
        live=len(members) - by_state[ReplicaState.SILENT],
        **{state.value: by_state[state] for state in ReplicaState},
    )


def _interval(environment: Environment, members: Sequence[ReplicaReport]) -> float:
    if environment.pull_interval:
        return environment.pull_interval
    learned = [member.interval for member in members if member.interval]
    return max(learned) if learned else decisions.RASA_INTERVAL


def all_proved(report: EnvironmentReport) -> bool:
    """The expected number of replicas proved the model, and no live one has not."""
    return _all_proved(report.members, report.replicas.expected)


def _all_proved(members: Sequence[ReplicaReport], expected: int) -> bool:
    live = live_ones(members)
    return all(member.proved for member in live) and len(live) >= expected


# Sync


def _sync(
    evidence: Evidence, members: Sequence[ReplicaReport], counts: Counts, interval: float, contradiction: str
) -> Sync:
    if not _listened_for(evidence, members, interval):
        return Sync.UNKNOWN
    if evidence.target is None:
        return _sync_to_nothing(evidence, members)
    if _all_proved(members, counts.expected):
        return Sync.OUT_OF_SYNC if contradiction else Sync.IN_SYNC
    return Sync.ROLLING_OUT if _rolls_out(evidence, members, counts, interval) else Sync.OUT_OF_SYNC


def _listened_for(evidence: Evidence, members: Sequence[ReplicaReport], interval: float) -> bool:
    """Whether polls were heard for a whole interval and from all who are known, or for so long that their silence
    counts: before that silence and absence mean nothing. Of servers that do not poll the cross-check tells."""
    if evidence.environment.pulls_once:
        return evidence.recent_check is not None
    since = evidence.listening_since
    if since is None:
        return False
    listened = (evidence.now - since).total_seconds()
    all_heard = all(member.last_poll_at is None or member.last_poll_at >= since for member in members)
    return listened >= (interval if all_heard else decisions.SILENT_AFTER * interval)


def _sync_to_nothing(evidence: Evidence, members: Sequence[ReplicaReport]) -> Sync:
    live = live_ones(members)
    if any(member.model or member.state is ReplicaState.FOREIGN for member in live):
        return Sync.OUT_OF_SYNC
    if len(live) < evidence.environment.replicas or _may_have_a_model(evidence, live):
        return Sync.UNKNOWN
    return Sync.IN_SYNC


def _may_have_a_model(evidence: Evidence, live: Sequence[ReplicaReport]) -> bool:
    """Whether one was given an archive before the tag went and did not poll since, or not all its workers did."""
    names = {member.name for member in live}
    return not all(entry.record.agreed for entry in evidence.entries if entry.name in names)


def _rolls_out(evidence: Evidence, members: Sequence[ReplicaReport], counts: Counts, interval: float) -> bool:
    promotion = evidence.promotion
    if counts.stuck or evidence.environment.is_frozen:
        return False
    if counts.loading:
        return True
    age = evidence.now - promotion.created_at if promotion else None
    fresh = age is not None and age < timedelta(seconds=DEADLINE_INTERVALS * interval + DEADLINE_SECONDS)
    if promotion and promotion.environment_id == evidence.environment.pk:
        return promotion.status == PromotionStatus.ROLLING_OUT
    return fresh and any(not member.proved for member in live_ones(members))


def _frozen(environment: Environment) -> list[str]:
    owner = environment.tag_owner
    if owner.frozen_at is None:
        return []
    backup = f"a backup of {owner.frozen_as_of:%Y-%m-%d %H:%M} UTC" if owner.frozen_as_of else "a backup"
    return [
        f"Frozen: this was restored from {backup}. Every server keeps the model it has until somebody decides what "
        f"{owner.name} is to serve."
    ]


def _laggards(sync: Sync, members: Sequence[ReplicaReport]) -> list[str]:
    """Why it is out of sync though nothing ails the replicas."""
    if sync is not Sync.OUT_OF_SYNC:
        return []
    late = [member for member in live_ones(members) if not member.proved and not _is_trouble(member)]
    return [f"{member.name}: {member.reason}" for member in late if member.reason]


def _contradiction(evidence: Evidence, members: Sequence[ReplicaReport]) -> str:
    """What `/status` says against the polls, asked after the last proof; empty where they agree."""
    check, target = evidence.recent_check, evidence.target
    proofs = [member.proved_at for member in members if member.proved and member.proved_at]
    if not all(member.proved for member in live_ones(members)):
        return ""  # The URL may lead to one that has still to load it.
    # One that does not say which model it has, such as to a wrong token, contradicts nothing.
    if check is None or check.failures or check.error or check.checked_at is None or target is None or not proofs:
        return ""
    same = check.model_id == target.model_id
    if same or not target.model_id or check.checked_at <= max(proofs):
        return ""
    loaded = f"another model ({check.model_file or check.model_id})" if check.model_id else "no model"
    return (
        f"The server says it has {loaded} loaded, though its polls name {target.name}: somebody changed it behind the "
        "control plane. Restart it."
    )


# Health


def _health(
    evidence: Evidence, members: Sequence[ReplicaReport], counts: Counts, interval: float
) -> tuple[Health, list[str]]:
    check = evidence.recent_check
    if not _listened_for(evidence, members, interval):
        return Health.UNKNOWN, []
    answers = check is not None and check.reached_at is not None and check.failures < FAILURES_THAT_COUNT
    asked = check is not None
    if not counts.live and not answers:
        if not asked and not members:
            return Health.UNKNOWN, ["Neither a poll nor an answer of its URL was heard yet."]
        return Health.UNREACHABLE, [_unreachable(evidence), *_damage(evidence)]
    reasons = [f"{member.name}: {member.reason}" for member in members if _is_trouble(member)]
    reasons += _damage(evidence)
    if counts.live < counts.expected:
        reasons.append(_missing(evidence, counts))
    if check and check.error and not check.failures:
        reasons.append(f"{evidence.environment.url}: {check.error}")
    if asked and not answers and evidence.environment.url:
        error = check.error if check else ""
        reasons.append(
            f"Replicas poll, but {evidence.environment.url} does not answer: {error} "
            "If that is not where the server is, correct the url of the environment."
        )
    return (Health.DEGRADED, reasons) if reasons else (Health.HEALTHY, [])


def _damage(evidence: Evidence) -> list[str]:
    target = evidence.target
    if target is None or not target.damaged_at:
        return []
    return [f"The stored archive of {target.name} is damaged and is not served. Upload it again."]


def _is_trouble(member: ReplicaReport) -> bool:
    return member.cut_off or member.state in (ReplicaState.STUCK, ReplicaState.SILENT, ReplicaState.FOREIGN)


def _unreachable(evidence: Evidence) -> str:
    check, url = evidence.recent_check, evidence.environment.url
    if url and check is None:
        return f"No replica polls, and {url} was not asked of late: the worker or beat does not run."
    error = f" ({check.error})" if check and check.error else ""
    return (
        f"No replica polls and {url or 'no URL'} does not answer{error}. Start its server. "
        "If it runs, compare its service token with the Connect tab, and the url of the environment with where it is."
    )


def _missing(evidence: Evidence, counts: Counts) -> str:
    missing = f"{counts.expected - counts.live} of {counts.expected} replicas missing"
    if counts.live or evidence.environment.pulls_once:
        return f"{missing}."
    return (
        f"{missing}: the server answers, but no replica polls. Compare its endpoints.yml with the Connect tab; a wrong "
        "token is invisible on the Rasa side, and told on the Connect tab."
    )
