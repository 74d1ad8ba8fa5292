"""The states there are and the moves between them, as tables. `docs/states.md` is generated from them."""

from enum import StrEnum
from typing import TypeVar


class Kind(StrEnum):
    """What an environment is for."""

    SERVING = "serving"
    TRAINING = "training"


class DeclaredIn(StrEnum):
    FILE = "file"
    API = "api"


class RasaXWrites(StrEnum):
    ALLOW = "allow"
    REFUSE = "refuse"


class PromotionStatus(StrEnum):
    ROLLING_OUT = "rolling_out"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    UNPROVEN = "unproven"


class Origin(StrEnum):
    PAGE = "page"
    API = "api"
    RASA_X = "rasa_x"
    JOB = "job"
    PIPELINE = "pipeline"
    COMMAND = "command"
    ROLLBACK = "rollback"
    FILE = "file"


class Sync(StrEnum):
    """Does the environment serve what it should? Computed from the ledger, never stored."""

    IN_SYNC = "in_sync"
    ROLLING_OUT = "rolling_out"
    OUT_OF_SYNC = "out_of_sync"
    UNKNOWN = "unknown"


class Health(StrEnum):
    """Can the environment serve at all? Computed, never stored."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


class ReplicaState(StrEnum):
    """In the order in which they are tried: a replica is in the first that holds."""

    SILENT = "silent"
    STUCK = "stuck"
    FOREIGN = "foreign"
    LOADING = "loading"
    EMPTY = "empty"
    SERVING = "serving"


class JobKind(StrEnum):
    TRAINING = "training"


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ERRORED = "errored"
    CANCELLED = "cancelled"


PROMOTION_MOVES: dict[PromotionStatus, frozenset[PromotionStatus]] = {
    PromotionStatus.ROLLING_OUT: frozenset(
        {
            PromotionStatus.SUCCEEDED,
            PromotionStatus.FAILED,
            PromotionStatus.SUPERSEDED,
            PromotionStatus.UNPROVEN,
        }
    ),
    # Later proof: the servers came up after the deadline, or a retry loaded the model after all.
    PromotionStatus.UNPROVEN: frozenset(
        {PromotionStatus.SUCCEEDED, PromotionStatus.FAILED, PromotionStatus.SUPERSEDED}
    ),
    PromotionStatus.FAILED: frozenset({PromotionStatus.SUCCEEDED}),
    PromotionStatus.SUCCEEDED: frozenset(),
    PromotionStatus.SUPERSEDED: frozenset(),
}

JOB_MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.ERRORED}),
    JobStatus.RUNNING: frozenset(
        {
            JobStatus.QUEUED,
            JobStatus.SUCCEEDED,
            JobStatus.FAILED,
            JobStatus.ERRORED,
            JobStatus.CANCELLED,
        }
    ),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.ERRORED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}

ACTIVE_JOBS = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})

State = TypeVar("State", bound=StrEnum)


def sources(moves: dict[State, frozenset[State]], target: State) -> list[State]:
    """The states from which `target` may be reached: the condition of a conditional update."""
    return [state for state, targets in moves.items() if target in targets]


def choices(enum: type[StrEnum]) -> list[tuple[str, str]]:
    """The values of `enum` as a Django field wants them."""
    return [(member.value, member.value.replace("_", " ")) for member in enum]
