"""Training by the Rasa server of a training environment, over HTTP, as Rasa X did."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from environments.bundles import Project
from environments.clients import rasa
from environments.clients.rasa import RasaClient, RasaRefused, RasaUnreachable
from environments.errors import TrainingFailed, TrainingUnavailable
from workers.runtimes import Archive

ASK_EVERY = 1.0
# Rasa's names for errors that the training data is the cause of, whatever the status.
DATA_ERRORS = frozenset({"TrainingError", "InvalidDomainError"})


@dataclass(frozen=True)
class ServerRuntime:
    """`name` is the environment's. Seconds: `timeout` bounds one training, `patience` the wait before it.

    While a server loads a model it answers nothing for up to half a minute, and a new promotion makes a worker load.
    """

    name: str
    client: RasaClient
    timeout: float
    patience: float

    @contextmanager
    def train(self, project: Project, config: str, note: Callable[[str], None]) -> Iterator[Archive]:
        document = project.document(config)
        note(f"waiting for {self.name}")
        self._wait_until_it_answers()
        note(f"training on {self.name}")
        try:
            with self.client.train(document, timeout=self.timeout) as trained:
                yield trained
        except RasaRefused as refused:
            raise self._problem(refused) from refused
        except RasaUnreachable as error:
            raise self._unavailable(str(error)) from error

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + self.patience
        while True:
            try:
                self.client.version()
            except rasa.RasaError as error:
                if time.monotonic() > deadline:
                    raise self._unavailable(str(error)) from error
                time.sleep(min(ASK_EVERY, self.patience))
            else:
                return

    def _unavailable(self, why: str) -> TrainingUnavailable:
        return TrainingUnavailable(
            f"The Rasa server of {self.name} could not train: {why} Check the server, then submit the job again."
        )

    def _problem(self, refused: RasaRefused) -> TrainingFailed | TrainingUnavailable:
        if refused.status in (401, 403):
            return self._unavailable("It does not accept the token that is declared for it.")
        if refused.status in (404, 405):
            return self._unavailable("It has no training route; start it with --enable-api.")
        if refused.reason in DATA_ERRORS or 400 <= refused.status < 500:
            return TrainingFailed(refused.message if refused.reason else f"Rasa refused to train. {refused.message}")
        return self._unavailable(refused.message)
