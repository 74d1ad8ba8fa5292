"""How Rasa is run. `RasaRuntime` is what any way of it must do; `server` does it through a Rasa server."""

from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Protocol

from environments.bundles import Project
from workers.watching import Watch


class Archive(Protocol):
    """A trained archive while it arrives. `filename` is Rasa's own name for it, with suffix, or ""."""

    filename: str

    def read(self, size: int, /) -> bytes: ...


class Tested(Protocol):
    """A model to test. `version` is Rasa's that trained it. `url` is where the control plane gives it to Rasa servers
    of training environments; `was_fetched` tells whether one asked for it there."""

    @property
    def name(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def model_id(self) -> str: ...
    @property
    def url(self) -> str: ...

    def open(self) -> AbstractContextManager[BinaryIO]: ...

    def was_fetched(self) -> bool: ...


class RasaRuntime(Protocol):
    def train(self, project: Project, config: str, watch: Watch) -> AbstractContextManager[Archive]:
        """Train `project`, with `config` in place of its own if there is one. `watch` is told each step and what is
        printed, and ends the training when its run is over.

        Raises `TrainingFailed` where the data is at fault, `TrainingUnavailable` where the runtime is.
        """
        ...

    def test_nlu(self, model: Tested, nlu: bytes, watch: Watch, *, folds: int | None = None) -> dict[str, Any]:
        """What the model understands of `nlu`, one YAML document: `{intent_evaluation, entity_evaluation,
        response_selection_evaluation}`, as Rasa's server gives them.

        With `folds` the data is cross-validated instead, and holds a whole project. Raises `EvaluationFailed` where the
        data is at fault, `Incompatible` where the model is too old, `EvaluationUnavailable` where the runtime is.
        """
        ...

    def test_stories(self, model: Tested, stories: bytes, watch: Watch) -> dict[str, Any]:
        """How the model takes `stories`, one YAML document, as Rasa's server tells it. Raises as `test_nlu` does, and
        `StoriesUntested` where this runtime cannot test stories of that model now."""
        ...
