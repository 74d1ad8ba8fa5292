"""What the engine runs of this installation, as it was last seen. One thread of a process looks at a time."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings

from accounts import scrubbing
from accounts.problems import SecretUnreadable
from environments import drift
from environments.clients.docker.engine import Container, Engine
from environments.clients.docker.errors import DockerError
from environments.models import Environment

logger = logging.getLogger(__name__)

# Seconds. Who asks for it waits for a look that is older than the first; other pages take one that is older than the
# second, and have it made anew. An engine that did not answer is left alone for a while.
FRESH, RECENT, AFTER_ERROR = 2.0, 10.0, 10.0
TAIL = 200


@dataclass(frozen=True)
class Look:
    """`error` says in a sentence why there is nothing to see. `at` is of the monotonic clock."""

    at: float
    containers: tuple[Container, ...] = ()
    error: str = ""

    @property
    def age(self) -> float:
        return time.monotonic() - self.at

    def of(self, environment: Environment) -> list[Container]:
        labels = (environment.project.name, environment.name)
        return [one for one in self.containers if _of(one) == labels]


def _of(container: Container) -> tuple[str, str]:
    return container.labels.get(drift.PROJECT, "default"), container.labels.get(drift.ENVIRONMENT, "")


@dataclass
class Watcher:
    """Of one engine and one compose project."""

    url: str
    project: str
    last: Look | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def engine(self) -> Engine:
        return Engine(self.url)

    def look(self) -> Look:
        """Now, or a moment ago; waits for the engine, but not for long."""
        with self._lock:
            last = self.last
            if last and last.age < (AFTER_ERROR if last.error else FRESH):
                return last
            return self._look()

    def known(self) -> Look | None:
        """What was last seen, at once; it is seen to that somebody looks again."""
        last = self.last
        if (last is None or last.age > RECENT) and self._lock.acquire(blocking=False):
            threading.Thread(target=self._look_and_release, name="look at the engine", daemon=True).start()
        return last

    def _look_and_release(self) -> None:
        try:
            self._look()
        finally:
            self._lock.release()

    def _look(self) -> Look:
        labels = [drift.ENVIRONMENT]
        if self.project:
            labels.append(f"{drift.COMPOSE_PROJECT}={self.project}")
        try:
            found = tuple(self.engine.containers(labels))
            self.last = Look(time.monotonic(), found)
        except DockerError as error:
            if not (self.last and self.last.error):
                logger.warning("the container engine could not be asked: %s", error)
            self.last = Look(time.monotonic(), error=str(error))
        return self.last

    def forget(self) -> None:
        self.last = None


_watchers: dict[tuple[str, str], Watcher] = {}


def watcher() -> Watcher | None:
    """None where this installation asks no engine."""
    key = (settings.CONTROLPLANE_DOCKER_URL, settings.COMPOSE_PROJECT_NAME)
    return _watchers.setdefault(key, Watcher(*key)) if key[0] else None


# What the engine says of one container


@dataclass(frozen=True)
class Printed:
    """The last lines of a container, without secrets; `error` says why there are none."""

    text: str = ""
    error: str = ""


def tail(engine: Engine, container: Container, environment: Environment) -> Printed:
    try:
        text = engine.tail(container.id, TAIL)
    except DockerError as error:
        return Printed(error=str(error))
    for secret in _secrets_of(environment):
        text = text.replace(secret, scrubbing.HIDDEN)
    return Printed(scrubbing.scrub(text))


def _secrets_of(environment: Environment) -> list[str]:
    """Those that the control plane gave its servers, and keeps."""
    read: list[Callable[[], str]] = [lambda: environment.rasa_token, lambda: environment.jwt_secret]
    found = []
    for one in read:
        try:
            found.append(one())
        except SecretUnreadable:
            continue
    return [secret for secret in found if len(secret) >= scrubbing.SHORTEST]
