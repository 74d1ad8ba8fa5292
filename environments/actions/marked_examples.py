"""What was said to bots and is marked as training data: marked, let go."""

from hashlib import sha256

from django.db import transaction

from accounts.actions import audit
from accounts.actor import Actor
from accounts.problems import InvalidFields
from environments import permissions, trackers
from environments.models import MarkedExample, Message

# What Rasa says of a text that it did not understand: nothing to train.
FALLBACK = "nlu_fallback"


@transaction.atomic
def mark(*, message: Message, intent: str, by: Actor) -> MarkedExample:
    """Make what was said an example of `intent`, with its entities. A second time is no change."""
    permissions.check_can_edit_conversations(by, message.project)
    intent = intent.strip()
    _check_intent(intent)
    if message.text.startswith("/") or not message.text.strip():
        raise InvalidFields("Only what somebody said is an example: this came from a button, or is empty.")
    text = " ".join(trackers.annotated(message.text, message.entities).split())
    digest = sha256(f"{intent}\n{text}".encode()).hexdigest()
    made, is_new = MarkedExample.objects.get_or_create(
        project=message.project,
        digest=digest,
        defaults={"intent": intent, "text": text, "message": message, "by_name": by.name},
    )
    if is_new:
        # The words stay out of the trail: they may have to be forgotten.
        audit.record(
            by=by, action="example.mark", object=f"intent:{intent}", project=message.project, after={"id": made.pk}
        )
    return made


def _check_intent(intent: str) -> None:
    if not 0 < len(intent) <= 200 or any(letter.isspace() for letter in intent) or intent == FALLBACK:
        cure = f"Name the intent that it is an example of: up to 200 letters without spaces, and not {FALLBACK}."
        raise InvalidFields(f"intent: {cure}", errors={"intent": [cure]})


@transaction.atomic
def unmark(*, example: MarkedExample, by: Actor) -> None:
    permissions.check_can_edit_conversations(by, example.project)
    audit.record(
        by=by,
        action="example.unmark",
        object=f"intent:{example.intent}",
        project=example.project,
        before={"id": example.pk},
    )
    example.delete()
