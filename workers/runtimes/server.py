"""Training and testing by the Rasa server of a training environment, over HTTP, as Rasa X did."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from environments.bundles import Project
from environments.clients import rasa
from environments.clients.rasa import RasaClient, RasaRefused, RasaUnreachable, Trained, Version
from environments.errors import (
    EvaluationFailed,
    EvaluationUnavailable,
    Incompatible,
    StoriesUntested,
    TrainingFailed,
    TrainingUnavailable,
)
from environments.versions import is_older
from workers.runtimes import Archive, Tested
from workers.waiting import is_busy, wait_for
from workers.watching import Watch

ASK_EVERY = 1.0
# A connection that nobody waits for any more lasts longer than what runs over it may last.
KEPT = 2
# Rasa's names for errors that the training data is the cause of, whatever the status.
DATA_ERRORS = frozenset({"TrainingError", "InvalidDomainError"})


@dataclass(frozen=True)
class ServerRuntime:
    """`name` is the environment's. Seconds: `timeout` bounds one training or test, `patience` the wait before it.

    While a server loads a model it answers nothing for up to half a minute, and a new promotion makes a worker load.
    `alone`: it is one server, of which one can ask whether it still trains.
    """

    name: str
    client: RasaClient
    timeout: float
    patience: float
    alone: bool = True

    @contextmanager
    def train(self, project: Project, config: str, watch: Watch) -> Iterator[Archive]:
        document = project.document(config)
        watch.step(f"waiting for {self.name}")
        self._wait_until_it_answers(watch, self._unavailable)
        self._wait_until_it_is_free(watch)
        watch.step(f"training on {self.name}")
        try:
            with self._trained(document, watch) as trained, watch.interrupted_by(trained.break_off):
                yield trained
        except RasaRefused as refused:
            raise self._problem(refused) from refused
        except RasaUnreachable as error:
            raise self._unavailable(str(error)) from error

    @contextmanager
    def _trained(self, document: bytes, watch: Watch) -> Iterator[Trained]:
        with ExitStack() as stack:
            training = self.client.train(document, timeout=KEPT * self.timeout)
            yield wait_for(watch, self.client.url, partial(stack.enter_context, training), drop=stack.close)

    def test_nlu(self, model: Tested, nlu: bytes, watch: Watch, *, folds: int | None = None) -> dict[str, Any]:
        """The server loads the model from our URL beside its own one, which it goes on to serve."""
        watch.step(f"waiting for {self.name}")
        version = self._wait_until_it_answers(watch, self._cannot_test)
        if folds is None:
            self._check_takes(model, version)
        watch.step(f"testing {model.name} on {self.name}")
        try:
            timeout = KEPT * self.timeout
            test = partial(self.client.test_intents, nlu, model=model.url, folds=folds, timeout=timeout)
            return wait_for(watch, self.client.url, test)
        except RasaRefused as refused:
            raise self._why_untested(refused, model) from refused
        except RasaUnreachable as error:
            raise self._cannot_test(str(error)) from error

    def test_stories(self, model: Tested, stories: bytes, watch: Watch) -> dict[str, Any]:
        """A server tests stories of the model that it has loaded, and of no other."""
        watch.step(f"testing stories of {model.name} on {self.name}")
        try:
            status = self.client.status()
            if status is None or not model.model_id or status.model_id != model.model_id:
                raise StoriesUntested(
                    f"The stories were not tested: the Rasa server of {self.name} tests stories of the model that it "
                    f"has loaded only, and that is not {model.name}."
                )
            test = partial(self.client.test_stories, stories, timeout=KEPT * self.timeout)
            return wait_for(watch, self.client.url, test)
        except RasaRefused as refused:
            raise self._why_untested(refused, model) from refused
        except RasaUnreachable as error:
            raise self._cannot_test(str(error)) from error

    def _check_takes(self, model: Tested, version: Version) -> None:
        if is_older(model.version, version.minimum_compatible_version):
            raise Incompatible(
                f"The Rasa server of {self.name} is of version {version.version} and takes models from "
                f"{version.minimum_compatible_version} on; {model.name} was trained by {model.version}. Train it again."
            )

    def _wait_until_it_answers(self, watch: Watch, unavailable: Callable[[str], Exception]) -> Version:
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return self.client.version()
            except rasa.RasaError as error:
                if time.monotonic() > deadline:
                    raise unavailable(str(error)) from error
                watch.check()
                time.sleep(min(ASK_EVERY, self.patience))

    def _wait_until_it_is_free(self, watch: Watch) -> None:
        """What was cancelled or lost still trains: nothing ends a training of a Rasa server but its own end."""
        deadline = time.monotonic() + self.timeout / 2
        while self.alone and self._still_trains():
            if time.monotonic() > deadline:
                raise self._unavailable("It still trains for a job that was stopped; a restart of it ends that.")
            watch.step(f"waiting for {self.name}, which still trains for a job that was stopped")
            time.sleep(ASK_EVERY)

    def _still_trains(self) -> bool:
        """A server without a model does not say, but what this process began is known."""
        try:
            status = self.client.status()
        except rasa.RasaError:
            return False
        return status.active_training_jobs > 0 if status else is_busy(self.client.url)

    def _cannot_test(self, why: str) -> EvaluationUnavailable:
        return EvaluationUnavailable(
            f"The Rasa server of {self.name} could not test the model: {why} Check the server, then evaluate again."
        )

    def _why_untested(self, refused: RasaRefused, model: Tested) -> EvaluationFailed | EvaluationUnavailable:
        if refused.model_was_missing:
            return self._cannot_test(_why_missing(model))
        if refused.status in (401, 403):
            return self._cannot_test("It does not accept the token that is declared for it.")
        if refused.status in (404, 405):
            return self._cannot_test("It has no route for tests; start it with --enable-api.")
        if refused.reason == "TestingError" or 400 <= refused.status < 500:
            return EvaluationFailed(refused.message if refused.reason else f"Rasa refused to test. {refused.message}")
        return self._cannot_test(refused.message)

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


def _why_missing(model: Tested) -> str:
    """Rasa does not say why it has no model; whether it asked us for it tells most of it."""
    if model.was_fetched():
        return f"It got {model.name} but did not load it; its own log has the reason."
    return (
        f"It did not ask for {model.name}. It needs a `models:` block in its endpoints.yml, with the service token of "
        f"a training environment (its Connect tab shows both), and has to reach {model.url}."
    )
