"""Run by `test_races.py` in a process of its own, on a database of its own: people who promote at the same moment.

Prints one JSON object. Argument: how many promote at once.
"""

import json
import sys
from functools import partial
from itertools import pairwise

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.actor import API, Actor  # noqa: E402
from accounts.models import AuditEvent  # noqa: E402
from environments import errors  # noqa: E402
from environments.actions import promotions  # noqa: E402
from environments.models import Environment, Promotion, Tag  # noqa: E402
from tests.at_once import at_once  # noqa: E402
from tests.factories import EnvironmentFactory, TrainedModelFactory, administrator  # noqa: E402


def race(people: int, **options: object) -> dict[str, int]:
    """Everybody promotes another model at the same moment; how it ended for how many."""
    production = Environment.objects.get(name="production")
    models = TrainedModelFactory.create_batch(people)
    actors = [Actor(user=administrator(f"person-{number}"), via=API) for number in range(people)]

    def act(number: int) -> str:
        try:
            promotions.promote(environment=production, model=models[number], by=actors[number], **options)
        except errors.StalePromotion as refused:
            return "told who" if refused.data["by"].startswith("person-") else "told nobody"
        return "promoted"

    return at_once([partial(act, number) for number in range(people)])


def chain_is_whole() -> bool:
    """Each promotion starts where the one before ended, and the tag is where the last one ended."""
    history = list(Promotion.objects.order_by("pk"))
    steps = pairwise(history)
    unbroken = all(later.previous_model_id == earlier.model_id for earlier, later in steps)
    return unbroken and Tag.objects.get(name="production").model_id == history[-1].model_id


def main() -> None:
    people = int(sys.argv[1])
    call_command("migrate", verbosity=0)
    EnvironmentFactory(name="production")
    careless = race(people)
    careful = race(people, expected=Tag.objects.get(name="production").model.name)
    result = {
        "careless": careless,
        "careful": careful,
        "tags": Tag.objects.count(),
        "chain_is_whole": chain_is_whole(),
        "rolling_out": Promotion.objects.filter(status="rolling_out").count(),
        "audited": AuditEvent.objects.filter(action="environment.promote").count() == Promotion.objects.count(),
    }
    sys.stdout.write(json.dumps(result))


main()
