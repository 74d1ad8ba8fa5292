"""Talking to the bot of an environment: its Rasa server is asked, and what was said is kept."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from accounts.problems import Busy, Problem, SecretUnreadable
from environments import trackers
from environments.actions import conversations
from environments.api import limits
from environments.clients.rasa import RasaClient, RasaError, RasaRefused, Status
from environments.errors import EnvironmentUnavailable
from environments.models import Environment, Message, TrainedModel
from environments.states import Door
from environments.trackers import Turn


@dataclass(frozen=True)
class Said:
    """What came of a message: the bot's answers as its REST channel gives them, the model that gave them, the row that
    was kept, and where it was listened to, what the bot made of it."""

    answers: list[dict[str, Any]]
    model: TrainedModel | None
    message: Message | None = None
    turn: Turn | None = None


@dataclass(frozen=True)
class _Reply:
    """What the server said."""

    answers: list[dict[str, Any]]
    model_id: str
    tracker: dict[str, Any] | None = None


def unavailable(environment: Environment, why: str) -> EnvironmentUnavailable:
    return EnvironmentUnavailable(
        f"{environment.name} cannot answer: {why}", environment=environment.name, headers={"Retry-After": "10"}
    )


def client_of(environment: Environment) -> RasaClient:
    """The environment's Rasa server."""
    if not environment.url:
        raise unavailable(environment, "no URL is declared for its server.")
    try:
        return RasaClient(environment.url, environment.rasa_token)
    except SecretUnreadable:
        raise unavailable(environment, "the token of its server cannot be read; its page tells why.") from None


@contextmanager
def _asking(environment: Environment) -> Iterator[None]:
    """At most so many ask at a time, and errors of the server become refusals that name the environment. Its own words
    are not repeated."""
    if not limits.CHATS.try_acquire():
        raise Busy("Too many talk at the same time. Try again in a moment.")
    try:
        yield
    except RasaRefused as refused:
        cure = " Compare its token with the declared one." if refused.status in (401, 403) else ""
        raise unavailable(environment, f"its server refused with the status {refused.status}.{cure}") from None
    except RasaError as error:
        raise unavailable(environment, str(error)) from None
    finally:
        limits.CHATS.release()


def _loaded(environment: Environment, server: RasaClient) -> Status:
    """What the server has loaded. Without a model it would answer `[]` as if the bot had nothing to say."""
    status = server.status()
    if status is None:
        raise unavailable(environment, "its server has no model loaded. Promote one.")
    return status


def tracker(environment: Environment, conversation: str, *, whole: bool = False) -> dict[str, Any]:
    """The conversation's tracker as the server gives it."""
    server = client_of(environment)
    with _asking(environment):
        _loaded(environment, server)
        return server.tracker(conversation, whole=whole)


def _ask(environment: Environment, server: RasaClient, conversation: str, text: str, *, listen: bool) -> _Reply:
    """Touches no database, so that several can be asked at the same time."""
    with _asking(environment):
        status = _loaded(environment, server)
        answers = server.send_message(conversation, text)
        heard = _listened(server, conversation) if listen else None
    return _Reply(answers, status.model_id, heard)


def _listened(server: RasaClient, conversation: str) -> dict[str, Any] | None:
    """The tracker; without it the answers are good all the same."""
    try:
        return server.tracker(conversation)
    except RasaError:
        return None


def model_of(environment: Environment, model_id: str) -> TrainedModel | None:
    """The model with this id: one of the environment's history before any other of the project."""
    known = (
        TrainedModel.objects.filter(project_id=environment.project_id, model_id=model_id).only("name").order_by("-pk")
    )
    promoted = known.filter(promotions__environment=environment.tag_owner).order_by("-promotions__pk")
    return promoted.first() or known.first()


def _kept(environment: Environment, conversation: str, text: str, reply: _Reply, door: Door) -> Said:
    model = model_of(environment, reply.model_id)
    message = conversations.record(
        environment=environment, conversation=conversation, text=text, model=model, model_id=reply.model_id, door=door
    )
    if reply.tracker is None:
        return Said(reply.answers, model, message)
    if message is not None:
        conversations.understood(messages=[message], tracker=reply.tracker)
    turn = trackers.match(trackers.turns(reply.tracker), [text])[0]
    return Said(reply.answers, model, message, turn)


def say(environment: Environment, conversation: str, text: str, door: Door) -> Said:
    """What the environment's bot answers."""
    reply = _ask(environment, client_of(environment), conversation, text, listen=False)
    return _kept(environment, conversation, text, reply, door)


def say_to_each(talks: Sequence[tuple[Environment, str]], text: str, door: Door) -> list[Said | Problem]:
    """What the bot of each environment, in its conversation, answers and makes of the same words. They are asked at the
    same time; one that cannot answer keeps no other from it."""
    clients = [_try_client(environment) for environment, _ in talks]
    with ThreadPoolExecutor(max_workers=max(len(talks), 1)) as pool:
        asked = [pool.submit(_try, *talk, client, text) for talk, client in zip(talks, clients, strict=True)]
    replies = [one.result() for one in asked]
    return [
        reply if isinstance(reply, Problem) else _kept(environment, conversation, text, reply, door)
        for (environment, conversation), reply in zip(talks, replies, strict=True)
    ]


def _try_client(environment: Environment) -> RasaClient | Problem:
    try:
        return client_of(environment)
    except Problem as problem:
        return problem


def _try(environment: Environment, conversation: str, client: RasaClient | Problem, text: str) -> _Reply | Problem:
    if isinstance(client, Problem):
        return client
    try:
        return _ask(environment, client, conversation, text, listen=True)
    except Problem as problem:
        return problem
