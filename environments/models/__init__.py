"""The domain as rows: fields, constraints and what one row knows of itself. No network, no logic in `save()`."""

from environments.models.bundle import Bundle
from environments.models.environment import Environment
from environments.models.job import Job
from environments.models.promotion import Promotion
from environments.models.replica import Listening, Proof, Replica, ServerCheck
from environments.models.slot import Slot
from environments.models.tag import Tag
from environments.models.trained_model import TrainedModel

__all__ = [
    "Bundle",
    "Environment",
    "Job",
    "Listening",
    "Promotion",
    "Proof",
    "Replica",
    "ServerCheck",
    "Slot",
    "Tag",
    "TrainedModel",
]
