"""The events of notifications as people read them, in groups."""

from environments.states import Event, WebhookKind

GROUPS: tuple[tuple[str, tuple[tuple[Event, str], ...]], ...] = (
    (
        "Promotions",
        (
            (Event.PROMOTION_STARTED, "one begins"),
            (Event.PROMOTION_SUCCEEDED, "every replica serves the model"),
            (Event.PROMOTION_FAILED, "a model is stuck, or was not proved in time"),
        ),
    ),
    (
        "Jobs and pipelines",
        (
            (Event.JOB_FAILED, "a job failed"),
            (Event.JOB_SUCCEEDED, "a job succeeded"),
            (Event.GATE_FAILED, "a gate stopped a model"),
            (Event.PIPELINE_FAILED, "a pipeline failed"),
            (Event.PIPELINE_SUCCEEDED, "a pipeline succeeded"),
        ),
    ),
    (
        "Trouble in an environment",
        (
            (Event.ENVIRONMENT_UNREACHABLE, "it is unreachable"),
            (Event.ENVIRONMENT_OUT_OF_SYNC, "it is out of sync"),
            (Event.REPLICA_SILENT, "a replica is silent"),
            (Event.REPLICA_STUCK, "a replica is stuck"),
            (Event.REPLICA_EMPTY, "a replica has no model"),
            (Event.REPLICA_FOREIGN, "a replica serves a foreign model"),
            (Event.RECOVERED, "any of these is over"),
        ),
    ),
)
KINDS = {WebhookKind.SIGNED: "Signed JSON", WebhookKind.SLACK: "Incoming webhook", WebhookKind.EMAIL: "E-mail"}
WORDS: dict[str, str] = {
    Event.PROMOTION_STARTED: "Promotion begun",
    Event.PROMOTION_SUCCEEDED: "Promotion live",
    Event.PROMOTION_FAILED: "Promotion failed",
    Event.JOB_FAILED: "Job failed",
    Event.JOB_SUCCEEDED: "Job succeeded",
    Event.GATE_FAILED: "Gate failed",
    Event.PIPELINE_FAILED: "Pipeline failed",
    Event.PIPELINE_SUCCEEDED: "Pipeline succeeded",
    Event.ENVIRONMENT_UNREACHABLE: "Unreachable",
    Event.ENVIRONMENT_OUT_OF_SYNC: "Out of sync",
    Event.REPLICA_SILENT: "Replica silent",
    Event.REPLICA_STUCK: "Replica stuck",
    Event.REPLICA_EMPTY: "Replica empty",
    Event.REPLICA_FOREIGN: "Foreign model",
    Event.RECOVERED: "Recovered",
    Event.TEST: "Test",
}
