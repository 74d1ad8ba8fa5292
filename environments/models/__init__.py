"""The domain as rows: fields, constraints and what one row knows of itself. No network, no logic in `save()`."""

from environments.models.bundle import Bundle
from environments.models.chat_token import ChatToken
from environments.models.environment import Environment
from environments.models.evaluation import Evaluation
from environments.models.instance import Instance
from environments.models.job import Job
from environments.models.job_log import JobLog
from environments.models.marked_example import MarkedExample
from environments.models.message import Message
from environments.models.pipeline import Pipeline, PipelineRun, PipelineStep
from environments.models.promotion import Promotion
from environments.models.replica import Listening, Proof, Replica, ServerCheck
from environments.models.repository import Repository
from environments.models.retention import Retention
from environments.models.slot import Slot
from environments.models.tag import Tag
from environments.models.tally import Tally
from environments.models.trained_model import TrainedModel
from environments.models.webhook import Alert, Delivery, Webhook

__all__ = [
    "Alert",
    "Bundle",
    "ChatToken",
    "Delivery",
    "Environment",
    "Evaluation",
    "Instance",
    "Job",
    "JobLog",
    "Listening",
    "MarkedExample",
    "Message",
    "Pipeline",
    "PipelineRun",
    "PipelineStep",
    "Promotion",
    "Proof",
    "Replica",
    "Repository",
    "Retention",
    "ServerCheck",
    "Slot",
    "Tag",
    "Tally",
    "TrainedModel",
    "Webhook",
]
