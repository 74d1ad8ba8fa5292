"""Run by `test_races.py` in a process of its own, on a database of its own: somebody promotes, or is
given one more role, while the role of administrators is taken away.

Prints one JSON object: how often each race ended how, and what is not as it must be. Argument: rounds of each race.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.actor import API, Actor  # noqa: E402
from accounts.models import Project, Role, User  # noqa: E402
from accounts.problems import Problem  # noqa: E402
from environments.actions import promotions, roles  # noqa: E402
from environments.models import Environment  # noqa: E402
from tests.at_once import at_once  # noqa: E402
from tests.factories import EnvironmentFactory, ProjectFactory, TrainedModelFactory, administrator, give  # noqa: E402

Act = Callable[[], str]


class Races:
    """Each method is one race of two; it returns what each does, and what must hold at the end."""

    def __init__(self) -> None:
        self.project: Project = ProjectFactory()
        self.production: Environment = EnvironmentFactory(project=self.project)
        self.admin = Role.objects.get(project=self.project, name="admin")

    def by(self, user: User) -> Actor:
        return Actor(user=user, via=API)

    def demote(self, user: User, by: User) -> Act:
        def act() -> str:
            roles.set_roles(user=user, project=self.project, roles=[], by=self.by(by))
            return "demoted"

        return act

    def pair(self) -> list[User]:
        """Two administrators, and no other."""
        for user in User.objects.filter(groups=self.admin.group_id):
            user.groups.remove(self.admin.group_id)
        return [administrator("ana"), administrator("ben")]

    def promote_against_demote(self) -> tuple[list[Act], Callable[[], bool]]:
        """One that has begun may end, and none begins afterwards."""
        ana, _ = self.pair()
        mallory, model = administrator("mallory"), TrainedModelFactory(project=self.project)

        def promote() -> str:
            promotions.promote(environment=self.production, model=model, by=self.by(mallory))
            return "promoted"

        def is_over() -> bool:
            try:
                promote()
            except Problem as problem:
                return problem.code == "not-found"
            return False

        return [promote, self.demote(mallory, ana)], is_over

    def demote_against_one_more_role(self) -> tuple[list[Act], Callable[[], bool]]:
        """Who is given a small role keeps none that was taken meanwhile."""
        ana, ben = self.pair()
        mallory = administrator("mallory")
        small = give(User.objects.get(username="ana"), self.project, "models.read")

        def more() -> str:
            roles.change_roles(user=mallory, project=self.project, give=[small], by=self.by(ben))
            return "given"

        def less() -> str:
            roles.change_roles(user=mallory, project=self.project, take=[self.admin], by=self.by(ana))
            return "taken"

        def as_told() -> bool:
            return set(Role.objects.of_user(mallory)) == {small} and not mallory.groups.clear()

        return [more, less], as_told


def main() -> None:
    rounds = int(sys.argv[1])
    call_command("migrate", verbosity=0)
    races = Races()
    kinds = (races.promote_against_demote, races.demote_against_one_more_role)
    ended: dict[str, Counter[str]] = {kind.__name__: Counter() for kind in kinds}
    faults = []
    for _ in range(rounds):
        for kind in kinds:
            acts, holds = kind()
            how = " + ".join(sorted(Counter(at_once(acts)).elements()))
            ended[kind.__name__][how] += 1
            if not holds():
                faults.append(f"{kind.__name__}: {how}")
    sys.stdout.write(json.dumps({"ended": ended, "faults": faults}))


main()
