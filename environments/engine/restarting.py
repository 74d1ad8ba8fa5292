"""A restart of one replica, and never of so many that nobody answers.

The engine says what runs and since when; that it serves its model, each replica has to show by a poll of its own.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.problems import NotFound
from environments import permissions
from environments.actions import slots
from environments.clients.docker.engine import Container
from environments.clients.docker.errors import DockerError, Gone
from environments.engine import looking
from environments.engine.looking import Watcher
from environments.errors import EngineUnavailable, RestartRefused
from environments.models import Environment
from environments.serving import reports
from environments.serving.members import ReplicaReport
from environments.serving.reports import EnvironmentReport
from environments.states import ReplicaState

# As long as the engine may take to end and start it, nobody restarts another one.
HELD = timedelta(seconds=30)
OFF = "This installation asks no container engine; docs/engine.md tells how it would."


@dataclass(frozen=True)
class Place:
    """An environment, its containers on the engine, and what their polls prove."""

    environment: Environment
    containers: Sequence[Container]
    report: EnvironmentReport

    def member(self, container: Container) -> ReplicaReport | None:
        """What polls of the container prove, which names itself by its host name unless it was told another."""
        names = (container.hostname, container.name)
        return next((member for member in self.report.members if member.name in names), None)


def watcher() -> Watcher:
    found = looking.watcher()
    if found is None:
        raise NotFound(OFF)
    return found


def place(environment: Environment) -> Place:
    """Raises `EngineUnavailable`."""
    look = watcher().look()
    if look.error:
        raise EngineUnavailable(look.error)
    return Place(environment, look.of(environment), reports.report(environment))


def find(containers: Collection[Container], name: str) -> Container:
    found = next((one for one in containers if name in (one.name, one.id, one.hostname)), None)
    if found is None:
        raise NotFound(f"There is no container {name} of this environment on the engine.")
    return found


# Whether it can be


def why_not(place: Place, container: Container) -> str:
    """Why the container is not to be restarted now, empty where it may be."""
    expected = place.report.replicas.expected
    if expected < 2 and len(place.containers) < 2:
        return ""
    if not _counts(place, container):
        # It does not serve: nobody misses it.
        return ""
    others = [one for one in place.containers if one.id != container.id]
    for other in others:
        if reason := _why_not_serving(place, other):
            return f"{reason} Wait until it serves, or restart that one instead."
    missing = expected - 1 - len(others) - _elsewhere(place)
    if missing > 0:
        return f"{missing} of the {expected} replicas of {place.environment.name} cannot be seen to serve."
    return ""


def _counts(place: Place, container: Container) -> bool:
    """Whether people may be answered by it; where nothing is known of it, they may."""
    member = place.member(container)
    return container.runs and (member is None or member.state is ReplicaState.SERVING)


def _why_not_serving(place: Place, container: Container) -> str:
    member = place.member(container)
    if not container.runs:
        return f"{container.name} does not run."
    if member is None:
        return f"{container.name} has not polled yet, so it is not known whether it serves."
    started, polled = container.started_at, member.last_poll_at
    if started and (polled is None or polled <= started):
        return (
            f"{container.name} was started {(timezone.now() - started).total_seconds():.0f} s ago and has not polled."
        )
    if member.state is not ReplicaState.SERVING or (place.report.model and not member.proved):
        return f"{container.name} does not serve the environment's model ({member.state})."
    return ""


def _elsewhere(place: Place) -> int:
    """Replicas that serve and are no containers of this engine."""
    own = {name for one in place.containers for name in (one.hostname, one.name)}
    return sum(
        member.name not in own and member.state is ReplicaState.SERVING and member.proved
        for member in place.report.members
    )


def restart(*, environment: Environment, name: str, by: Actor) -> Container:
    """Restart one container of the environment. It is recorded before: nothing is restarted that nobody is told of."""
    permissions.check_can_promote(by, environment)
    found = place(environment)
    container = find(found.containers, name)
    if reason := why_not(found, container):
        raise RestartRefused(reason)
    _begin(environment, container, by)
    engine = watcher()
    try:
        engine.engine.restart(container.id)
    except Gone:
        raise NotFound(f"The container {container.name} is gone.") from None
    except DockerError as error:
        raise EngineUnavailable(f"{container.name} may not have been restarted: {error}") from error
    finally:
        engine.forget()
    return container


@transaction.atomic
def _begin(environment: Environment, container: Container, by: Actor) -> None:
    now = timezone.now()
    if slots.claim(f"restart-{environment.pk}", now=now, next_at=now + HELD) is None:
        raise RestartRefused(
            f"A restart of {environment.name} began less than {HELD.total_seconds():.0f} s ago. Wait until it is over."
        )
    audit.record(
        by=by,
        action="replica.restart",
        object=f"replica:{environment.name}/{container.name}",
        project=environment.project,
        after={"container": container.id[:12]},
    )
