"""Run by `test_races.py` in a process of its own, on a database of its own: two environments exchange their models.

Prints one JSON object: how the promotions of so many rounds ended, each of two at once. Argument: how many rounds.
"""

import json
import sys
from collections import Counter
from functools import partial

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.actor import API, Actor  # noqa: E402
from environments.actions import promotions  # noqa: E402
from tests.at_once import at_once  # noqa: E402
from tests.factories import EnvironmentFactory, TrainedModelFactory, administrator  # noqa: E402


def main() -> None:
    call_command("migrate", verbosity=0)
    by = Actor(user=administrator("ana"), via=API)
    environments = [EnvironmentFactory(name=name) for name in ("blue", "green")]
    models = TrainedModelFactory.create_batch(2)

    def act(place: int, number: int) -> str:
        model = models[(place + number) % 2]
        promotions.promote(environment=environments[place], model=model, by=by)
        return "promoted"

    ends: Counter[str] = Counter()
    for number in range(int(sys.argv[1])):
        ends.update(at_once([partial(act, place, number) for place in (0, 1)]))
    sys.stdout.write(json.dumps(ends))


main()
