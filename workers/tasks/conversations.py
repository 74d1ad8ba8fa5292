"""What bots made of what was said to them: read from the trackers of their servers, a while after it was said."""

import time
from collections import defaultdict
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from accounts.problems import SecretUnreadable
from environments.actions import conversations, slots
from environments.clients.rasa import RasaClient, RasaError
from environments.models import Environment, Message

EVERY = timedelta(seconds=10)
# Of one step: so many conversations, in so many seconds, of which one tracker takes at most so many.
MOST = 200
SECONDS = 20.0
PATIENCE = 10.0
# Of one conversation; what is beyond that waits for the next step.
MOST_MESSAGES = 1000


@shared_task(name="workers.read_conversations")
def read_if_due() -> None:
    now = timezone.now()
    if slots.claim("read-conversations", now=now, next_at=now + EVERY):
        read_due()


def read_due() -> None:
    """Complete the messages whose time has come. A server that does not answer is left alone for a while."""
    until = time.monotonic() + SECONDS
    for environment, waiting in _due().items():
        server = _server_of(environment)
        for conversation in waiting:
            if time.monotonic() > until:
                return
            if server is None or not _read(environment, server, conversation):
                due = Message.objects.filter(environment=environment, read_at__lte=timezone.now())
                conversations.put_off(messages=due[:MOST_MESSAGES], now=timezone.now())
                break


def _due() -> dict[Environment, list[str]]:
    """The conversations of each environment, those that wait longest first."""
    due = Message.objects.filter(read_at__lte=timezone.now()).select_related("environment").order_by("read_at")
    found: dict[Environment, dict[str, None]] = defaultdict(dict)
    for message in due.only("conversation", "environment")[:MOST]:
        found[message.environment][message.conversation] = None
    return {environment: list(conversations) for environment, conversations in found.items()}


def _server_of(environment: Environment) -> RasaClient | None:
    if not environment.url or environment.retired_at:
        return None
    try:
        return RasaClient(environment.url, environment.rasa_token)
    except SecretUnreadable:
        return None


def _read(environment: Environment, server: RasaClient, conversation: str) -> bool:
    """False where the server does not answer."""
    waiting = Message.objects.in_conversation(environment, conversation).filter(read_at__isnull=False)
    try:
        tracker = server.tracker(conversation, whole=True, timeout=PATIENCE)
    except RasaError:
        return False
    conversations.understood(messages=list(waiting[:MOST_MESSAGES]), tracker=tracker)
    return True
