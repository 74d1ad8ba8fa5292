"""What each replica of an environment serves, as its polls (or `/status` in their place) prove it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from environments import decisions
from environments.models import TrainedModel
from environments.serving import ledger
from environments.serving.evidence import Evidence
from environments.serving.ledger import Entry
from environments.states import ReplicaState
from environments.versions import is_older


@dataclass(frozen=True)
class ReplicaReport:
    """One replica. `model` is a model's name, `interval` in seconds, `proved` whether it has proved the environment's
    model; `reason` says why it is not simply serving. `cut_off`: again and again it does not get the whole archive.
    `archive` is the SHA-256 of what it has loaded, known or not, None where it has nothing or does not poll."""

    name: str
    address: str
    state: ReplicaState
    model: str | None
    since: datetime
    last_poll_at: datetime | None
    downloads: int
    interval: float | None
    reason: str
    proved: bool
    proved_at: datetime | None
    cut_off: bool = False
    archive: str | None = None


def members_of(evidence: Evidence) -> list[ReplicaReport]:
    """The replicas that poll; where none does, what `/status` says stands for one."""
    polled = [] if evidence.environment.pulls_once else [_member(entry, evidence) for entry in evidence.entries]
    stand_in = None if polled else _stand_in(evidence)
    return [stand_in] if stand_in else polled


def _member(entry: Entry, evidence: Evidence) -> ReplicaReport:
    record, environment = entry.record, evidence.environment
    interval = environment.pull_interval or record.learned_interval(environment.workers)
    target = evidence.target
    last_poll = ledger.at(record.last_poll) if record.last_poll else None
    state = _state(entry, evidence, interval or decisions.RASA_INTERVAL)
    broken = record.broken if _is_current(entry, evidence) else 0
    return ReplicaReport(
        name=entry.name,
        address=entry.address,
        state=state,
        model=evidence.names.get(record.model) if record.model else None,
        since=ledger.at(_since(entry, state)),
        last_poll_at=last_poll,
        downloads=record.downloads,
        interval=interval,
        reason=_reason(state, entry, evidence),
        # What it proved before the promotion it may have lost since, and not have been heard.
        proved=target is not None and record.proved == target.hash and _is_current(entry, evidence),
        proved_at=ledger.at(record.proved_at) if record.proved_at and record.proved else None,
        cut_off=broken >= decisions.TRIES,
        archive=record.etag if decisions.ARCHIVE.fullmatch(record.etag) else None,
    )


def _is_current(entry: Entry, evidence: Evidence) -> bool:
    """Whether what the replica tried since its last poll's promotion is of the newest one."""
    target, newest = evidence.target, evidence.promotion
    same = entry.record.promotion == (newest.pk if newest else None)
    return same and target is not None and entry.record.target == target.hash


def _state(entry: Entry, evidence: Evidence, interval: float) -> ReplicaState:
    """The first that holds, in the order of `ReplicaState`."""
    record, target = entry.record, evidence.target
    if evidence.silence(entry) > _patience(record, interval):
        return ReplicaState.SILENT
    current = _is_current(entry, evidence)
    if current and record.stuck_since is not None:
        return ReplicaState.STUCK
    if record.model is not None and record.model not in evidence.promoted:
        return ReplicaState.FOREIGN
    if _came_after_the_backup(entry, evidence):
        return ReplicaState.FOREIGN
    unproved = target is not None and record.proved != target.hash
    given = record.loading_since is not None or (target is not None and record.model == target.hash)
    if current and unproved and given:
        return ReplicaState.LOADING
    return ReplicaState.EMPTY if record.model is None else ReplicaState.SERVING


def _came_after_the_backup(entry: Entry, evidence: Evidence) -> bool:
    """Whether a server of a restored installation has loaded an archive that the backup does not know."""
    record = entry.record
    unknown = record.model is None and decisions.ARCHIVE.fullmatch(record.etag) is not None
    return unknown and evidence.environment.is_frozen


def _patience(record: decisions.Record, interval: float) -> float:
    """Seconds after which silence says something."""
    usual = decisions.SILENT_AFTER * interval
    return max(usual, decisions.LOADING_GRACE) if record.loads else usual


def _since(entry: Entry, state: ReplicaState) -> float:
    record = entry.record
    match state:
        case ReplicaState.SILENT:
            since = record.last_poll
        case ReplicaState.STUCK:
            since = record.stuck_since
        case ReplicaState.LOADING:
            since = record.loading_since or record.etag_since
        case ReplicaState.SERVING:
            since = record.proved_at or record.etag_since
        case _:
            since = record.etag_since
    return since or entry.first_seen


def _reason(state: ReplicaState, entry: Entry, evidence: Evidence) -> str:
    record, target = entry.record, evidence.target
    match state:
        case ReplicaState.STUCK if target is not None:
            return _why_stuck(entry, target, evidence)
        case ReplicaState.SILENT:
            return "No poll for three intervals: it stopped, cannot reach the control plane, or its token is wrong."
        case ReplicaState.FOREIGN if _came_after_the_backup(entry, evidence):
            return f"It has loaded an archive that the backup does not know (SHA-256 {record.etag}). Upload it again."
        case ReplicaState.FOREIGN:
            name = evidence.names.get(record.model or "", "a model")
            return f"It has loaded {name}, which was never promoted here."
        case ReplicaState.EMPTY if target is not None:
            return f"It has no model loaded, and {target.name} could not be given to it yet."
        case ReplicaState.EMPTY:
            return "It has no model loaded and the environment has none for it. Promote one."
        case ReplicaState.LOADING if target is not None:
            return _why_loading(entry, target)
    return ""


def _why_loading(entry: Entry, target: TrainedModel) -> str:
    if entry.record.broken < decisions.TRIES:
        return f"It was given {target.name} and has not shown yet that it serves it."
    return (
        f"{entry.record.broken} transfers of {target.name} to it broke off before their end. Look at the network, and "
        "at limits of time and size of proxies between it and the control plane."
    )


def _why_stuck(entry: Entry, target: TrainedModel, evidence: Evidence) -> str:
    check = evidence.check
    tried = f"It downloaded {target.name} {decisions.TRIES} times per process and did not load it."
    if check and check.minimum_compatible_version and is_older(target.version, check.minimum_compatible_version):
        return (
            f"{tried} The model was trained with Rasa {target.version}; the server runs {check.version} and takes "
            f"{check.minimum_compatible_version} or newer. Roll back, or train it again."
        )
    fallback = evidence.names.get(entry.record.fallback or "")
    instead = f" It was given {fallback} instead." if fallback else ""
    return f"{tried}{instead} Its log has the cause under 'Failed to update model'. Roll back, or retry."


def _stand_in(evidence: Evidence) -> ReplicaReport | None:
    """What `/status` says, where no replica polls: it stands for one replica."""
    check, target, model = evidence.recent_check, evidence.target, evidence.checked_model
    if check is None or check.failures or check.reached_at is None:
        return None
    if not evidence.environment.pulls_once and model is None:
        return None
    proved = model is not None and model == target
    state = ReplicaState.SERVING if model else ReplicaState.FOREIGN if check.model_id else ReplicaState.EMPTY
    return ReplicaReport(
        name=urlsplit(evidence.environment.url).netloc,
        address="",
        state=state,
        model=model.name if model else None,
        since=check.model_since or check.reached_at,
        last_poll_at=None,
        downloads=0,
        interval=None,
        reason="" if proved else _why_not_proved(model, target),
        proved=proved,
        proved_at=check.model_since,
    )


def _why_not_proved(model: TrainedModel | None, target: TrainedModel | None) -> str:
    if model is None:
        return "Its /status names no model that was promoted here."
    return f"It serves {model.name} and does not poll. Restart it to give it {target.name}." if target else ""


def live_ones(members: Sequence[ReplicaReport]) -> list[ReplicaReport]:
    """All but silent ones."""
    return [member for member in members if member.state is not ReplicaState.SILENT]
