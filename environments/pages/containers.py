"""The containers of an environment as its page shows them: what was last seen of them, at once."""

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from environments import permissions
from environments.clients.docker.engine import Container
from environments.engine import drifting, looking, restarting
from environments.engine.restarting import Place
from environments.pages import live
from environments.pages.access import PageRequest, why_not
from environments.pages.overview import Card
from environments.serving.members import ReplicaReport


@dataclass(frozen=True)
class Row:
    """One container. `state` is the name of its sign; `restart` and `log` say why these buttons are off, empty where
    they are not."""

    container: Container
    state: str
    member: ReplicaReport | None
    restart: str
    log: str


def piece(request: PageRequest, card: Card) -> live.Piece:
    """What was last seen, at once."""
    watcher = looking.watcher()
    look = watcher.known() if watcher else None
    context: dict[str, Any] = {"environment": card.environment, "look": look, "rows": []}
    if look and not look.error:
        place = Place(card.environment, look.of(card.environment), card.report)
        refused = why_not(permissions.check_can_promote, request.actor, card.environment)
        context["rows"] = [_row(place, container, refused) for container in place.containers]
    return live.piece(request, "engine", "environments/engine.html", context)


def _row(place: Place, container: Container, refused: str) -> Row:
    loops = drifting.running(container).loops(timezone.now())
    return Row(
        container=container,
        state="looping" if loops else container.state,
        member=place.member(container),
        restart=refused or restarting.why_not(place, container),
        log=refused,
    )
