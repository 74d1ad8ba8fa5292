"""Run by `test_races.py` in a process of its own, on a database of its own: senders, and those who look for trouble,
at the same moment.

Prints one JSON object. Argument: how many look at once.
"""

import json
import sys
from datetime import datetime, timedelta
from functools import partial

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from environments import delivering  # noqa: E402
from environments.actions import alerts, notifications  # noqa: E402
from environments.actions.alerts import Finding, Trouble  # noqa: E402
from environments.actions.notifications import Notification  # noqa: E402
from environments.models import Delivery  # noqa: E402
from environments.states import Event  # noqa: E402
from tests.at_once import at_once  # noqa: E402
from tests.factories import EnvironmentFactory, ProjectFactory, WebhookFactory  # noqa: E402
from tests.receiver import Receiver  # noqa: E402

TARGETS, LETTERS = 5, 20


def look_for_trouble(lookers: int) -> dict[str, object]:
    """All see the same trouble begin, last and end, whatever the time slot would have said."""
    Delivery.objects.all().delete()
    production = EnvironmentFactory(name="production")
    trouble = Finding(production, (Trouble(Event.REPLICA_SILENT, "rasa-1", "It is silent."),))
    now = timezone.now()
    ended = [
        at_once([partial(_look, finding, now + timedelta(minutes=minutes))] * lookers)
        for finding, minutes in (
            *((trouble, minutes) for minutes in (0, 6, 7)),
            *((Finding(production), minutes) for minutes in (8, 14, 15)),
        )
    ]
    events = list(Delivery.objects.values_list("event", flat=True))
    return {"looked": ended == [{"looked": lookers}] * 6, "told": {event: events.count(event) for event in set(events)}}


def _look(finding: Finding, now: datetime) -> str:
    alerts.take_in([finding], now, after=timedelta(minutes=5))
    return "looked"


def main() -> None:
    senders = int(sys.argv[1])
    call_command("migrate", verbosity=0)
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    project = ProjectFactory()
    told = [Notification(project, Event.JOB_FAILED, "A job failed", "It has no intents.")] * LETTERS
    with Receiver() as receiver:
        for _ in range(TARGETS):
            WebhookFactory(project=project, target=receiver.url)
        notifications.tell_all(told)

        def send() -> str:
            delivering.deliver_due()
            return "ended"

        ended = at_once([send] * senders)
        ids = [got.headers["x-controlplane-delivery"] for got in receiver.got]
    result: dict[str, object] = {
        "ended": ended,
        "sent": len(ids),
        "sent twice": len(ids) - len(set(ids)),
        "delivered": Delivery.objects.filter(status="delivered", attempts=1).count(),
    }
    sys.stdout.write(json.dumps(result | look_for_trouble(senders)))


main()
