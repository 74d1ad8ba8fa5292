"""What is said to bots through the control plane: kept, completed by what they made of it, forgotten."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import NotFound
from environments import permissions, trackers
from environments.models import Environment, MarkedExample, Message, TrainedModel
from environments.models.message import LONGEST_ID, LONGEST_TEXT
from environments.states import Door
from environments.trackers import Turn

logger = logging.getLogger(__name__)

# A server that does not answer is asked again after so long, then after twice that, and so on, so many times.
AGAIN_AFTER = timedelta(minutes=1)
MOST_TRIES = 8
BATCH = 1000


def record(
    *,
    environment: Environment,
    conversation: str,
    text: str,
    model: TrainedModel | None,
    model_id: str,
    door: Door,
) -> Message | None:
    """Keep what was said, in one insert. None where nothing is kept: it is switched off, or cannot be written now.
    Whoever talks never hears of that."""
    if not settings.RECORD_CONVERSATIONS or len(conversation) > LONGEST_ID:
        return None
    message = Message(
        project_id=environment.project_id,
        environment=environment,
        conversation=trackers.plain(conversation),
        door=door,
        text=trackers.plain(text)[:LONGEST_TEXT],
        model=model,
        rasa_model_id=trackers.plain(model_id)[:200],
    )
    try:
        with transaction.atomic():
            message.save(force_insert=True)
    except DatabaseError as error:
        logger.warning("a message to %s was answered and could not be kept: %s", environment, type(error).__name__)
        return None
    return message


def understood(*, messages: Sequence[Message], tracker: object) -> int:
    """Complete the messages of one conversation, oldest first, by its tracker; how many of them are in it."""
    found = trackers.match(trackers.turns(tracker), [message.text for message in messages])
    ids = {turn.model_id for turn in found if turn and turn.model_id}
    project = messages[0].project_id if messages else None
    models = {
        model.model_id: model
        for model in TrainedModel.objects.filter(project=project, model_id__in=ids).only("model_id")
    }
    now = timezone.now()
    for message, turn in zip(messages, found, strict=True):
        message.read_at = None
        if turn is not None:
            _complete(message, turn, now)
            if turn.model_id and turn.model_id != message.rasa_model_id:
                message.model, message.rasa_model_id = models.get(turn.model_id), turn.model_id
    Message.objects.bulk_update(messages, COMPLETED, batch_size=BATCH)
    return sum(turn is not None for turn in found)


COMPLETED = (
    "model",
    "rasa_model_id",
    "intent",
    "confidence",
    "entities",
    "actions",
    "policies",
    "action_confidence",
    "understood_at",
    "read_at",
)


def _complete(message: Message, turn: Turn, now: datetime) -> None:
    message.intent, message.confidence = turn.intent[:300], turn.confidence
    message.entities = turn.entities
    message.actions, message.policies = [action.name for action in turn.actions], turn.policies
    message.action_confidence = turn.least_action_confidence
    message.understood_at = now


def put_off(*, messages: Iterable[Message], now: datetime) -> None:
    """Their server did not answer: they are read later, and at some time not any more."""
    rows = list(messages)
    for message in rows:
        message.tries += 1
        message.read_at = None if message.tries >= MOST_TRIES else now + AGAIN_AFTER * 2**message.tries
    Message.objects.bulk_update(rows, ("tries", "read_at"), batch_size=BATCH)


@transaction.atomic
def delete(*, environment: Environment, conversation: str, by: Actor) -> int:
    """Forget a conversation with all that was marked in it; how many messages it had. What the bot's own server keeps
    is not touched: stock Rasa has no way to ask for that."""
    permissions.check_can_edit_conversations(by, environment.project)
    messages = Message.objects.in_conversation(environment, conversation)
    MarkedExample.objects.filter(message__in=messages).delete()
    count, _ = messages.delete()
    if not count:
        raise NotFound(f"There is no conversation {conversation} with {environment.name}.")
    audit.record(
        by=by,
        action="conversation.delete",
        object=f"environment:{environment.name}",
        project=environment.project,
        before={"messages": count},
    )
    return count


def forget(*, project: Project, before: datetime, by: Actor) -> int:
    """Forget what was said before that time; how many messages that were. What was marked is training data by now, and
    stays. In parts, so that nobody who talks waits."""
    count = 0
    while part := list(
        Message.objects.filter(project=project, at__lt=before).order_by("at").values_list("pk", flat=True)[:BATCH]
    ):
        with transaction.atomic():
            MarkedExample.objects.filter(message__in=part).update(message=None)
            Message.objects.filter(pk__in=part).delete()
        count += len(part)
    if count:
        audit.record(
            by=by,
            action="conversation.forget",
            object=f"project:{project.name}",
            project=project,
            after={"messages": count, "before": before.isoformat()},
        )
    return count
