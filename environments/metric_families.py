"""The metrics there are: what `/metrics` says of each, and what docs/metrics.md repeats. Pure data."""

from dataclasses import dataclass
from enum import StrEnum

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
# Labels of a histogram's parts: the bucket without a bound, and the seconds added up.
INFINITY, SUM = "+Inf", "sum"

# Seconds. From a small model that one server loads to a large one on many.
LIVE_BUCKETS = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
JOB_BUCKETS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class PollAnswer(StrEnum):
    """What a poll got."""

    NOT_MODIFIED = "not_modified"
    # The archive of the tag's model, or that of the last proven one in its place.
    ARCHIVE = "archive"
    FALLBACK = "fallback"
    NO_MODEL = "no_model"
    # The archive is damaged, the database is away, or too many archives are on their way.
    UNAVAILABLE = "unavailable"


class Route(StrEnum):
    """Classes of requests."""

    # Of Rasa servers.
    POLL = "poll"
    API = "api"
    RASA_X = "rasa_x"
    CHAT = "chat"
    PAGE = "page"
    UPLOAD = "upload"
    # Held until something is finished, because the caller wants that.
    WAIT = "wait"
    STATIC = "static"
    PROBE = "probe"


@dataclass(frozen=True)
class Family:
    """One metric. A histogram has `buckets`: their upper bounds in seconds."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


def bucket_of(seconds: float, buckets: tuple[float, ...]) -> str:
    """The bound of the first bucket that holds it, as its label says it."""
    return next((f"{bound:g}" for bound in buckets if seconds <= bound), INFINITY)


PLACE = ("project", "environment")
WORK = ("project", "kind")

# Counted in the database, where they happen.
PROMOTIONS_STARTED = Family(
    "controlplane_promotions_started_total", COUNTER, PLACE, "Promotions made, rollbacks and those to nothing too."
)
PROMOTIONS_FINISHED = Family(
    "controlplane_promotions_finished_total",
    COUNTER,
    (*PLACE, "outcome"),
    "Outcomes of promotions; one that was unproven or failed and is proved after all counts under both.",
)
TIME_TO_LIVE = Family(
    "controlplane_time_to_live_seconds",
    HISTOGRAM,
    PLACE,
    "From a promotion to the proof of the last expected replica.",
    LIVE_BUCKETS,
)
PROOFS = Family("controlplane_proofs_total", COUNTER, PLACE, "Times that a replica newly proved a model.")
JOBS_STARTED = Family("controlplane_jobs_started_total", COUNTER, WORK, "Runs of jobs that a worker began.")
JOBS_FINISHED = Family(
    "controlplane_jobs_finished_total", COUNTER, (*WORK, "status"), "Jobs that ended, by how they ended."
)
JOB_WAIT = Family(
    "controlplane_job_wait_seconds", HISTOGRAM, WORK, "From the submit of a job to its first run.", JOB_BUCKETS
)
JOB_DURATION = Family(
    "controlplane_job_duration_seconds", HISTOGRAM, WORK, "How long jobs ran that succeeded.", JOB_BUCKETS
)

# Read from what is there now.
ENVIRONMENT_INFO = Family(
    "controlplane_environment_info",
    GAUGE,
    (*PLACE, "kind", "protected", "model"),
    "1 for each environment, with the model it should serve.",
)
SYNC = Family(
    "controlplane_environment_sync",
    GAUGE,
    (*PLACE, "sync"),
    "1 for what holds: does the environment serve what it should?",
)
HEALTH = Family(
    "controlplane_environment_health", GAUGE, (*PLACE, "health"), "1 for what holds: can the environment serve at all?"
)
REPLICAS = Family("controlplane_replicas", GAUGE, (*PLACE, "state"), "Replicas by state.")
REPLICAS_EXPECTED = Family("controlplane_replicas_expected", GAUGE, PLACE, "Replicas that are declared.")
ROLLING_OUT = Family(
    "controlplane_promotion_rolling_out_seconds",
    GAUGE,
    PLACE,
    "How long the newest promotion has been rolling out; 0 where none is.",
)
JOBS = Family("controlplane_jobs", GAUGE, (*WORK, "status"), "Jobs that are queued or running.")
JOBS_OLDEST = Family(
    "controlplane_jobs_oldest_queued_seconds", GAUGE, WORK, "How long the oldest queued job has waited; 0 without one."
)
JOBS_STARTABLE = Family(
    "controlplane_jobs_startable", GAUGE, WORK, "1 where the next job lacks nothing but a worker that takes it."
)
PROCESSES = Family("controlplane_processes", GAUGE, ("part",), "Processes that were heard of in the last seconds.")
STEP_OVERDUE = Family(
    "controlplane_step_overdue_seconds", GAUGE, ("step",), "How long a periodic step of the workers is overdue."
)

# Counted by the web processes, together.
POLLS = Family("controlplane_polls_total", COUNTER, (*PLACE, "answer"), "Polls of Rasa servers, by what they got.")
REQUESTS = Family(
    "controlplane_requests_total", COUNTER, ("route", "status"), "Requests, by class of route and status."
)
REQUEST_DURATION = Family(
    "controlplane_request_duration_seconds",
    HISTOGRAM,
    ("route",),
    "From a request to its answer; of a download, to its first byte.",
    REQUEST_BUCKETS,
)

OF_ENVIRONMENTS = (
    PROMOTIONS_STARTED,
    PROMOTIONS_FINISHED,
    TIME_TO_LIVE,
    PROOFS,
    ENVIRONMENT_INFO,
    SYNC,
    HEALTH,
    REPLICAS,
    REPLICAS_EXPECTED,
    ROLLING_OUT,
    POLLS,
)
OF_JOBS = (JOBS_STARTED, JOBS_FINISHED, JOB_WAIT, JOB_DURATION, JOBS, JOBS_OLDEST, JOBS_STARTABLE)
OF_INSTALLATION = (PROCESSES, STEP_OVERDUE, REQUESTS, REQUEST_DURATION)
FAMILIES = (*OF_ENVIRONMENTS, *OF_JOBS, *OF_INSTALLATION)
