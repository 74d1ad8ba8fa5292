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
    EVALUATION = "evaluation"
    # Bring a bundle from a git repository.
    FETCH = "fetch"
    # Ask a model for the utterances that must pass.
    CHECK = "check"


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ERRORED = "errored"
    CANCELLED = "cancelled"


class EvaluationMethod(StrEnum):
    """Which examples a model is tested on."""

    # The test data of a bundle.
    DATA = "data"
    # A part of the bundle's examples that was held out, the same part each time.
    SPLIT = "split"
    # All examples, by models trained on the others of them: judges data and config, not one model.
    CROSS_VALIDATION = "cross_validation"


class PairedTest(StrEnum):
    """How it is told whether two models differ on the same examples by more than noise."""

    MCNEMAR = "mcnemar"
    BOOTSTRAP = "bootstrap"


class Trigger(StrEnum):
    """What began a run of a pipeline."""

    HAND = "hand"
    SCHEDULE = "schedule"
    PUSH = "push"
    UPLOAD = "upload"


class StepKind(StrEnum):
    """The steps of a pipeline, in their order."""

    SOURCE = "source"
    TRAIN = "train"
    EVALUATE = "evaluate"
    CHECK = "check"
    GATES = "gates"
    PROMOTE = "promote"
    NOTIFY = "notify"


class StepStatus(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ERRORED = "errored"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class WebhookKind(StrEnum):
    """How a notification is written: our JSON with a signature, the text of an incoming webhook, or a mail."""

    SIGNED = "signed"
    SLACK = "slack"
    EMAIL = "email"


class Event(StrEnum):
    """What notifications tell of."""

    PROMOTION_STARTED = "promotion.started"
    PROMOTION_SUCCEEDED = "promotion.succeeded"
    PROMOTION_FAILED = "promotion.failed"
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    GATE_FAILED = "gate.failed"
    PIPELINE_SUCCEEDED = "pipeline.succeeded"
    PIPELINE_FAILED = "pipeline.failed"
    REPLICA_SILENT = "replica.silent"
    REPLICA_EMPTY = "replica.empty"
    REPLICA_FOREIGN = "replica.foreign"
    REPLICA_STUCK = "replica.stuck"
    ENVIRONMENT_UNREACHABLE = "environment.unreachable"
    ENVIRONMENT_OUT_OF_SYNC = "environment.out_of_sync"
    RECOVERED = "recovered"
    TEST = "test"


class Door(StrEnum):
    """By which way a message came to a bot."""

    PAGE = "page"
    API = "api"
    GUEST = "guest"
    END_USER = "end_user"


class DeliveryStatus(StrEnum):
    """`failed`: given up after the last retry."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


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

# A run of a pipeline has the states of a job.
RUN_MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    **JOB_MOVES,
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.FAILED, JobStatus.ERRORED}),
}

STEP_MOVES: dict[StepStatus, frozenset[StepStatus]] = {
    StepStatus.WAITING: frozenset({StepStatus.RUNNING, StepStatus.SKIPPED, StepStatus.CANCELLED}),
    StepStatus.RUNNING: frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.ERRORED, StepStatus.CANCELLED}),
    StepStatus.SUCCEEDED: frozenset(),
    StepStatus.FAILED: frozenset(),
    StepStatus.ERRORED: frozenset(),
    StepStatus.SKIPPED: frozenset(),
    StepStatus.CANCELLED: frozenset(),
}

ACTIVE_JOBS = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})

State = TypeVar("State", bound=StrEnum)


def sources(moves: dict[State, frozenset[State]], target: State) -> list[State]:
    """The states from which `target` may be reached: the condition of a conditional update."""
    return [state for state, targets in moves.items() if target in targets]


def choices(enum: type[StrEnum]) -> list[tuple[str, str]]:
    """The values of `enum` as a Django field wants them."""
    return [(member.value, member.value.replace("_", " ")) for member in enum]
