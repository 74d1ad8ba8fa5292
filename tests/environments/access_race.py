"""Run by `test_races.py` in a process of its own: administrators who end each other at the same moment.

Prints one JSON object. Argument: how many rounds.
"""

import json
import sys
from functools import partial

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.actions import lockouts  # noqa: E402
from accounts.actor import API, Actor  # noqa: E402
from accounts.models import AuditEvent, Project, User  # noqa: E402
from environments.actions import roles, users  # noqa: E402
from tests.at_once import at_once  # noqa: E402
from tests.factories import UserFactory, administrator  # noqa: E402

OLD, NEW = "otters swim in rivers", "herons stand in reeds"


def deactivate(whom: User, by: User) -> str:
    users.deactivate(user=whom, by=Actor(user=by, via=API))
    return "done"


def demote(whom: User, by: User) -> str:
    roles.set_roles(user=whom, project=Project.objects.get(), roles=[], by=Actor(user=by, via=API))
    return "done"


def change(whom: User) -> str:
    users.change_password(user=whom, old=OLD, new=NEW, by=Actor(user=whom, via=API))
    return "changed"


def reset(whom: User, by: User) -> str:
    users.reset(user=whom, by=Actor(user=by, via=API))
    return "reset"


def stays_reset(number: int) -> bool:
    """Whether an account that is reset while somebody changes its password is opened by none."""
    by, whom = administrator(f"mia-{number}"), UserFactory(username=f"ben-{number}")
    whom.set_password(OLD)
    whom.save()
    ended = at_once([partial(change, User.objects.get(pk=whom.pk)), partial(reset, whom, by)])
    return ended["reset"] == 1 and not User.objects.get(pk=whom.pk).has_usable_password()


def wrong_passwords(tries: int) -> dict[str, int]:
    """Typed at the same moment: each is counted, and they lock once."""

    def act() -> str:
        lockouts.failed("nobody", "192.0.2.1", API)
        return "counted"

    counted = at_once([act] * tries)
    (locked,) = lockouts.active()
    return counted | {"locked by": locked.failures, "told": AuditEvent.objects.filter(action="user.locked").count()}


def main() -> None:
    call_command("migrate", verbosity=0)
    ends, left = [], []
    for number in range(int(sys.argv[1])):
        ana, eva = (administrator(f"{name}-{number}") for name in ("ana", "eva"))
        acts = [partial(act, whom, by) for act in (deactivate, demote) for whom, by in ((ana, eva), (eva, ana))]
        ends.append(at_once(acts)["done"])
        (last,) = roles.administrators(Project.objects.get())
        left.append(last.username.endswith(f"-{number}"))
        User.objects.filter(pk=last.pk).update(is_active=False)
    resets = [stays_reset(number) for number in range(int(sys.argv[1]))]
    result = {
        "resets": all(resets),
        "at least one": min(ends) >= 1,
        "one is left": all(left),
        "wrong passwords": wrong_passwords(8),
    }
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
