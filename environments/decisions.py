"""What a poll gets: one pure function of the tag's model, the replica's record and what is known to load here.

A poll says in `If-None-Match` what one Rasa process has loaded (rasa-facts: byte for byte the ETag of that model, or a
random uuid before the first one). So the same request delivers a model and proves what is serving. Times are seconds
since the epoch, models are named by the SHA-256 of their archive.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from statistics import median
from typing import Any

# What a process sends that has loaded an archive, known or not; one that has none sends a uuid.
ARCHIVE = re.compile(r"[0-9a-f]{64}", re.ASCII)
# Downloads a process may make of one model without ever showing that it loaded it.
TRIES = 3
# An interval that is learned is never taken to be shorter than this.
SHORTEST_INTERVAL = 2.0
# Rasa's own `wait_time_between_pulls`, for as long as nothing else is known.
RASA_INTERVAL = 100.0
# Silent after this many intervals without a poll.
SILENT_AFTER = 3
# Seconds that a process which was given an archive may need to show it: it answers and asks nothing while it loads
# (rasa-facts: 16-30 s for a 25 MB model on two cores; there are larger ones).
LOADING_GRACE = 120.0
# Seconds after which several workers that poll more rarely than they did have a longer interval, and none of them is
# merely busy loading.
LONGER_FOR_GOOD = 300.0
# How late a poll may be, in intervals, because its machine or ours is busy.
LATE = 0.4
# A replica that restarts for ever sends a new uuid each time; older ones are not counted any more.
REMEMBERED_TRIES = 64


class Fallback(StrEnum):
    """Why a process was given another model than the tag's."""

    STUCK = "stuck"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Record:
    """What is known of one replica. Its Sanic workers share the name and poll each for itself.

    `etag` is the last one sent, `model` the model it names (None: unknown to us); `etag_since` and `etag_polls` tell
    since when and how often every poll named that, counted anew when an archive is given, and `agreed` whether all
    workers did. `proved` is the model the whole replica has proved. `target` is the tag's model and `promotion` the
    number of the promotion that put it there. `tries` counts downloads: ETag sent → model given → how often, and
    `broken` those that broke off, which are not counted there; both begin anew when the tag moves. `fallback` was
    given in place of `target`. `shortest` is the shortest interval learned, in seconds, and `longer_since` since when
    polls come more rarely.
    """

    etag: str = ""
    etag_since: float = 0.0
    etag_polls: int = 0
    agreed: bool = False
    model: str | None = None
    proved: str | None = None
    proved_at: float | None = None
    target: str | None = None
    promotion: int | None = None
    tries: dict[str, dict[str, int]] = field(default_factory=dict)
    broken: int = 0
    stuck_since: float | None = None
    loading_since: float | None = None
    fallback: str | None = None
    fallback_why: Fallback | None = None
    downloads: int = 0
    polls: tuple[float, ...] = ()
    shortest: float | None = None
    longer_since: float | None = None
    # A proof that is not in the database yet.
    proof_due: bool = False

    @property
    def last_poll(self) -> float | None:
        return self.polls[-1] if self.polls else None

    @property
    def loads(self) -> bool:
        """Whether the last poll was answered with an archive: whoever got it is busy."""
        return bool(self.polls) and self.etag_polls == 0

    def learned_interval(self, workers: int) -> float | None:
        """Seconds between two polls of one process, as seen; None until each of `workers` can have polled twice."""
        gaps = [later - earlier for earlier, later in zip(self.polls, self.polls[workers:], strict=False)]
        return max(median(gaps), SHORTEST_INTERVAL) if gaps else None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Record":
        known = {name: value for name, value in values.items() if name in cls.__dataclass_fields__}
        if "polls" in known:
            known["polls"] = tuple(known["polls"])
        if known.get("fallback_why"):
            known["fallback_why"] = Fallback(known["fallback_why"])
        return cls(**known)


@dataclass(frozen=True)
class Situation:
    """What a decision depends on besides the record.

    `target` is the tag's model (None: no model), put there by the promotion with the number `promotion`; `loadable`
    tells whether its archive can be served. `interval` is the declared one in seconds, None where it is learned.
    `proven` gives the models proved in this environment whose archives can be served, newest first; it is asked only
    where a server would stay empty. `frozen`: the installation was restored, and nobody has decided yet whether the
    backup or the servers are right.
    """

    target: str | None
    loadable: bool
    workers: int
    interval: float | None
    proven: Callable[[], Sequence[str]]
    promotion: int | None = None
    frozen: bool = False


class Answer(StrEnum):
    SERVE = "serve"  # 200 with the archive of `Decision.model`
    NOT_MODIFIED = "not_modified"  # 304
    NO_MODEL = "no_model"  # 404: a Rasa server keeps what it has
    UNAVAILABLE = "unavailable"  # 503: a Rasa server keeps what it has


@dataclass(frozen=True)
class Decision:
    """`notable` says that the record holds news that must not wait for the next batch of heartbeats."""

    answer: Answer
    record: Record
    model: str | None = None
    notable: bool = False


def decide(record: Record, *, etag: str, known: bool, situation: Situation, now: float) -> Decision:
    """What the poll with the entity tag `etag` gets. `known`: the ETag names a model of ours, deleted ones too."""
    heard = hear(record, etag=etag, known=known, situation=situation, now=now)
    moved = (heard.target, heard.promotion) != (record.target, record.promotion)
    return _answer(heard, known, situation, now, notable=moved or (heard.proof_due and not record.proof_due))


def hear(record: Record, *, etag: str, known: bool, situation: Situation, now: float) -> Record:
    """The record with what the poll says, whatever its answer will be."""
    heard = _heard(record, etag, known, situation, now)
    if (heard.target, heard.promotion) == (situation.target, situation.promotion):
        return heard
    moved = replace(forget_tries(heard), target=situation.target, promotion=situation.promotion)
    # What it has had all along it proves anew, under the promotion that brings it back.
    return replace(moved, proof_due=True, proved_at=now) if moved.proved and moved.proved == moved.target else moved


def forget_tries(record: Record) -> Record:
    """The record as if nothing had been tried yet: the tag moved, or somebody said retry."""
    return replace(record, tries={}, broken=0, stuck_since=None, loading_since=None, fallback=None, fallback_why=None)


def broke_off(record: Record, *, etag: str, model: str) -> Record:
    """The record when the transfer of `model` to who sent `etag` broke off: that says nothing of the model."""
    given = dict(record.tries.get(etag, {}))
    if not given.get(model):
        return record  # The tag moved meanwhile.
    given[model] -= 1
    again = replace(record, tries=record.tries | {etag: given}, broken=record.broken + 1)
    if record.stuck_since is None or model != record.target:
        return again
    # Where another process is stuck all the same, its next poll says so.
    return replace(again, stuck_since=None, fallback=None, fallback_why=None)


def _heard(record: Record, etag: str, known: bool, situation: Situation, now: float) -> Record:
    """The record with this heartbeat, and with the proof it may complete."""
    model = etag if known else None
    same = model == record.model and bool(record.etag)
    heard = replace(
        record,
        etag=etag,
        etag_since=record.etag_since if same else now,
        etag_polls=record.etag_polls + 1 if same else 1,
        model=model,
        proved=record.proved if same else None,
        proved_at=record.proved_at if same else None,
        proof_due=record.proof_due and same,
        polls=(*record.polls, now)[-_remembered_polls(situation.workers) :],
    )
    heard = _with_interval(heard, situation.workers, now)
    agreed = (same and heard.agreed) or _agree(heard, situation, now)
    heard = heard if heard.agreed == agreed else replace(heard, agreed=agreed)
    if known and heard.proved != etag and heard.agreed:
        return replace(heard, proved=etag, proved_at=now, proof_due=True)
    return heard


def _with_interval(record: Record, workers: int, now: float) -> Record:
    """The record with the interval of several workers: one that is missing for a while, as while it loads, makes it
    look longer than it is."""
    if workers == 1 or len(record.polls) <= 4 * workers:
        return record
    learned = record.learned_interval(workers)
    if learned is None or record.shortest is None or learned < 1.1 * record.shortest:
        return replace(record, shortest=min(filter(None, (learned, record.shortest)), default=None), longer_since=None)
    since = now if record.longer_since is None else record.longer_since
    if now - since > LONGER_FOR_GOOD:
        return replace(record, shortest=learned, longer_since=None)
    return replace(record, longer_since=since)


def _agree(record: Record, situation: Situation, now: float) -> bool:
    """One worker: by its first poll. Several: when for a whole interval every poll named the same, one per worker.

    Nothing tells workers apart, but each polls once per interval, and not at all while it loads a model. So within
    `span` intervals, less what a poll may be late, each of them polls `span` times at the most: one poll more than all
    but one of them can make, and it was heard as well.
    """
    workers = situation.workers
    if workers == 1:
        return True
    interval = situation.interval or record.shortest
    if interval is None or now - record.etag_since < interval:
        return False
    span = _span(workers)
    within = (span - LATE) * interval
    recent = [poll for poll in record.polls[-record.etag_polls :] if now - poll < within]
    return len(recent) > span * (workers - 1)


def _span(workers: int) -> int:
    """So many intervals that they suffice however the polls of the workers lie to each other."""
    return (workers + 1) // 2


def _remembered_polls(workers: int) -> int:
    """Enough to learn the interval from, and to prove a model by."""
    return max(4 * workers, _span(workers) * (workers - 1)) + 1


def _answer(record: Record, known: bool, situation: Situation, now: float, *, notable: bool) -> Decision:
    target = situation.target
    if situation.frozen:
        return _keep(record, known, situation, now, notable=notable)
    if target is None:
        return Decision(Answer.NO_MODEL, record, notable=notable)
    if record.etag == target:
        return Decision(Answer.NOT_MODIFIED, _shown(record), notable=notable or record.stuck_since is not None)
    if _kept_on_fallback(record, situation):
        return Decision(Answer.NOT_MODIFIED, record, notable=notable)
    if _tries(record, target) >= _allowed(known, situation.workers):
        newly = record.stuck_since is None
        record = replace(record, stuck_since=now, loading_since=None) if newly else record
        if known:
            return Decision(Answer.NOT_MODIFIED, record, notable=notable or newly)
        return _fall_back(record, situation, Fallback.STUCK, now, notable=notable or newly)
    if not situation.loadable:
        if known:
            return Decision(Answer.UNAVAILABLE, record, notable=notable)
        return _fall_back(record, situation, Fallback.DAMAGED, now, notable=notable)
    loading = now if record.loading_since is None else record.loading_since
    return _give(replace(record, loading_since=loading), target, now)


def _keep(record: Record, known: bool, situation: Situation, now: float, *, notable: bool) -> Decision:
    """Frozen: who has a model keeps it, also one that came after the backup; who has none gets the last proven one, or
    where none was proved the tag's."""
    if known or ARCHIVE.fullmatch(record.etag):
        return Decision(Answer.NOT_MODIFIED, record, notable=notable)
    candidates = list(situation.proven())
    if situation.target is not None and situation.loadable and situation.target not in candidates:
        candidates.append(situation.target)
    for model in candidates:
        if _tries(record, model) < TRIES:
            return _give(record, model, now)
    return Decision(Answer.NOT_MODIFIED if candidates else Answer.NO_MODEL, record, notable=notable)


def _shown(record: Record) -> Record:
    """The whole replica showed the tag's model: whatever was tried before, it loads. Of several workers one that
    shows it says nothing of another that cannot load it, and would download it for ever."""
    tried = record.tries or record.stuck_since or record.fallback
    return forget_tries(record) if tried and record.proved == record.target else record


def _kept_on_fallback(record: Record, situation: Situation) -> bool:
    """A process that runs on what it was given instead stays there until the tag moves, retry, or the archive heals."""
    healed = record.fallback_why is Fallback.DAMAGED and situation.loadable
    return record.fallback is not None and record.etag == record.fallback and not healed


def _tries(record: Record, model: str) -> int:
    return record.tries.get(record.etag, {}).get(model, 0)


def _allowed(known: bool, workers: int) -> int:
    """Processes that have the same model send the same ETag; a uuid belongs to one process."""
    return TRIES * workers if known else TRIES


def _fall_back(record: Record, situation: Situation, why: Fallback, now: float, *, notable: bool) -> Decision:
    """Never leave a server empty while a loadable model is known."""
    for model in situation.proven():
        if model != situation.target and _tries(record, model) < TRIES:
            return _give(replace(record, fallback=model, fallback_why=why), model, now)
    return Decision(Answer.NOT_MODIFIED, record, notable=notable)


def _give(record: Record, model: str, now: float) -> Decision:
    """From now on the process may have another model at any moment: what it showed before proves nothing."""
    given = dict(record.tries.get(record.etag, {}))
    given[model] = given.get(model, 0) + 1
    others = {etag: models for etag, models in record.tries.items() if etag != record.etag}
    recent = dict(list(others.items())[-(REMEMBERED_TRIES - 1) :])
    counted = replace(
        record,
        tries=recent | {record.etag: given},
        downloads=record.downloads + 1,
        etag_since=now,
        etag_polls=0,
        agreed=False,
        proved=None,
        proved_at=None,
    )
    return Decision(Answer.SERVE, counted, model=model, notable=True)
