"""Run by `test_races.py` in a process of its own, on a database of its own: uploads and deletions at the same moment.

Prints one JSON object. Argument: how many act at once.
"""

import io
import json
import sys
from collections.abc import Callable
from datetime import timedelta

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.actor import API, Actor  # noqa: E402
from environments import stores  # noqa: E402
from environments.actions import promotions, trained_models  # noqa: E402
from environments.models import Tag, TrainedModel  # noqa: E402
from environments.receiving import receive_model  # noqa: E402
from tests.archives import rasa_archive, sha256  # noqa: E402
from tests.at_once import at_once  # noqa: E402
from tests.factories import EnvironmentFactory, ProjectFactory, administrator  # noqa: E402


def main() -> None:
    people = int(sys.argv[1])
    call_command("migrate", verbosity=0)
    project = ProjectFactory()
    production = EnvironmentFactory(name="production")
    by = Actor(user=administrator("ana"), via=API)

    def upload(name: str, seed: str) -> Callable[[], str]:
        def act() -> str:
            received = receive_model(project=project, name=name, stream=io.BytesIO(rasa_archive(seed)), by=by)
            return "created" if received.created else "was there"

        return act

    def promote(model: TrainedModel) -> Callable[[], str]:
        return lambda: str(promotions.promote(environment=production, model=model, by=by).promotion.environment)

    def delete(model: TrainedModel) -> Callable[[], str]:
        def act() -> str:
            trained_models.delete(model=model, by=by)
            return "deleted"

        return act

    result: dict[str, object] = {
        "same bytes": at_once([upload("otter", "otter")] * people),
        "other bytes": at_once([upload("heron", f"heron-{number}") for number in range(people)]),
        "names": sorted(TrainedModel.objects.values_list("name", flat=True)),
    }
    otter = TrainedModel.objects.get(name="otter")
    moved = at_once([promote(otter), delete(otter)])
    # Whoever was first: a model with a tag is there, and one that is gone has none.
    result["tagged or gone"] = Tag.objects.filter(model=otter).exists() != bool(
        TrainedModel.objects.get(pk=otter.pk).deleted_at
    )
    result["one of the two refused"] = sorted(moved.values()) == [1, 1] and bool(
        {"model-in-use", "model-gone"} & set(moved)
    )
    wanted = {model.hash for model in TrainedModel.objects.present()}
    stores.models().sweep(wanted, timedelta(0))
    result["swept clean"] = set(stores.models().hashes()) == wanted
    result["sound"] = all(sha256(stores.models().open(key).read()) == key for key in wanted)
    sys.stdout.write(json.dumps(result))


main()
