"""Run by `test_races.py` in a process of its own, on a database of its own: what is defined, declared, tagged and
deleted while somebody promotes.

Prints one JSON object: how often each race ended how, and what is not whole. Argument: rounds of each race.
"""

import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.actor import API, FILE, Actor, system  # noqa: E402
from accounts.models import AuditEvent, Project  # noqa: E402
from environments import spec  # noqa: E402
from environments.actions import declaration, environments, promotions, tags, trained_models  # noqa: E402
from environments.models import Environment, Promotion, Tag, TrainedModel  # noqa: E402
from environments.receiving import receive_model  # noqa: E402
from tests.archives import rasa_archive  # noqa: E402
from tests.at_once import at_once  # noqa: E402
from tests.factories import ProjectFactory, TrainedModelFactory, administrator  # noqa: E402

Act = Callable[[], str]


class Races:
    """Each method is one race of two, on an environment or tag of its own name."""

    def __init__(self) -> None:
        self.project: Project = ProjectFactory()
        self.by = Actor(user=administrator("ana"), via=API)
        self.declare("main")

    def declare(self, *names: str, follower: str = "") -> None:
        """Apply a file that declares `names`, and `follower`, which follows the first of them."""
        lines = [f"  {name}:\n    url: http://{name}:5005\n" for name in (*names, *([follower] if follower else []))]
        if follower:
            lines[-1] += f"    follows: {names[0]}\n"
        declared = spec.parse("rasa:\n" + "".join(lines), {})
        declaration.sync(declaration=declared, by=system(FILE))

    def sync(self, *names: str, follower: str = "") -> Act:
        def act() -> str:
            self.declare(*names, follower=follower)
            return "synced"

        return act

    def define(self, name: str, **fields: str) -> Act:
        def act() -> str:
            environments.define(project=self.project, name=name, by=self.by, url=f"http://{name}:5005", **fields)
            return "defined"

        return act

    def promote(self, name: str, model: TrainedModel | None = None) -> Act:
        environment = Environment.objects.get(name=name)
        wanted = model or TrainedModelFactory()

        def act() -> str:
            promotions.promote(environment=environment, model=wanted, by=self.by)
            return "promoted"

        return act

    def rollback(self, name: str) -> Act:
        environment = Environment.objects.get(name=name)

        def act() -> str:
            promotions.rollback(environment=environment, by=self.by)
            return "rolled back"

        return act

    def put(self, tag: str) -> Act:
        model = TrainedModelFactory()

        def act() -> str:
            outcome = tags.put(project=self.project, tag=tag, model=model, by=self.by)
            return "promoted" if outcome else "tagged"

        return act

    def upload(self, name: str, *, tag: str) -> Act:
        def act() -> str:
            stream = io.BytesIO(rasa_archive(name))
            receive_model(project=self.project, name=name, stream=stream, by=self.by, tags=[tag])
            return "uploaded"

        return act

    def delete(self, model: TrainedModel) -> Act:
        def act() -> str:
            trained_models.delete(model=model, by=self.by)
            return "deleted"

        return act

    # The races

    def retire_against_promote(self, name: str) -> list[Act]:
        self.declare("main", name)
        return [self.sync("main"), self.promote(name)]

    def follow_against_promote(self, name: str) -> list[Act]:
        self.declare("main", name)
        return [self.sync("main", follower=name), self.promote(name)]

    def adopt_against_promote(self, name: str) -> list[Act]:
        self.define(name)()
        return [self.sync("main", name), self.promote(name)]

    def rollback_against_promote(self, name: str) -> list[Act]:
        self.define(name)()
        for _ in range(2):
            self.promote(name)()
        return [self.rollback(name), self.promote(name)]

    def delete_against_promote(self, name: str) -> list[Act]:
        self.define(name)()
        model = TrainedModelFactory()
        return [self.delete(model), self.promote(name, model)]

    def free_tag_against_define(self, name: str) -> list[Act]:
        return [self.put(name), self.define(name)]

    def define_against_define(self, name: str) -> list[Act]:
        return [self.define(name), self.define(name)]

    def upload_with_tag_against_delete(self, name: str) -> list[Act]:
        self.upload(name, tag=f"{name}-before")()
        return [self.upload(name, tag=f"{name}-tag"), self.delete(TrainedModel.objects.get(name=name))]


def run(races: Races, kind: str, rounds: int) -> dict[str, int]:
    """How often the race ended how."""
    ends: Counter[str] = Counter()
    for number in range(rounds):
        acts = getattr(races, kind)(f"{kind.replace('_', '-')}-{number}")
        told = at_once(acts)
        ends[" + ".join(sorted(end for end, count in told.items() for _ in range(count)))] += 1
    return dict(ends)


def faults() -> Iterator[str]:
    """What is not whole, whichever way the races went."""
    for environment in Environment.objects.all():
        history = list(Promotion.objects.filter(environment=environment).order_by("pk"))
        tag = Tag.objects.filter(name=environment.name).first()
        if any(later.previous_model_id != earlier.model_id for earlier, later in pairwise(history)):
            yield f"the chain of {environment} is broken"
        if (tag.model_id if tag else None) != (history[-1].model_id if history else None):
            yield f"the tag of {environment} is not where its history ends"
        if environment.follows_id and tag:
            yield f"{environment} follows another and has a tag"
        moves = AuditEvent.objects.filter(object=f"environment:{environment}", action__in=MOVES)
        if moves.count() != len(history):
            yield f"{environment} was moved {len(history)} times and {moves.count()} are in the audit trail"
    for tag in Tag.objects.exclude(model__deleted_at=None):
        yield f"{tag.name} is on a model that was deleted"


MOVES = ("environment.promote", "environment.rollback")


def main() -> None:
    call_command("migrate", verbosity=0)
    races = Races()
    kinds = [name for name in vars(Races) if "_against_" in name]
    ended = {kind: run(races, kind, int(sys.argv[1])) for kind in kinds}
    sys.stdout.write(json.dumps({"ended": ended, "faults": list(faults())}))


main()
