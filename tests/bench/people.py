"""Pages and lists of a large organisation: as many questions to the database for thousands of users as for ten, and a
check of a grant costs none beyond the first of a request."""

from collections.abc import Iterator

from tests.bench.installation import Installation, installation
from tests.bench.table import Row, at_most

USERS, ROLES = 10_000, 200
FEW_USERS, FEW_ROLES = 10, 5
ASKED = 1000
PATHS = {
    "users page": "/p/default/access/",
    "users page, searched": "/p/default/access/?q=person-7",
    "roles page": "/p/default/access/roles/",
    "a role's page": "/p/default/access/roles/developer/",
    "tokens page": "/p/default/access/tokens/",
    "who may change production": "/p/default/access/who-may/production/",
    "audit page": "/p/default/audit/",
    "own account": "/account/",
    "overview": "/p/default/",
    "list of users, Rasa X": "/api/users?limit=50",
    "list of roles, Rasa X": "/api/roles",
    "list of audit events": "/api/v1/audit-events/",
}


def rows(*, quick: bool) -> Iterator[Row]:
    users = 1000 if quick else USERS
    with installation() as control_plane:
        control_plane.seed(f"people({FEW_USERS}, {FEW_ROLES})")
        few = asked(control_plane)
        control_plane.seed(f"people({users}, {ROLES}, start={FEW_USERS})")
        many = asked(control_plane)
        for name, path in PATHS.items():
            yield at_most(
                f"{name}, {users:,} users, {ROLES} roles",
                many[path]["queries"],
                few[path]["queries"],
                unit=" queries",
                measured=f"{many[path]['seconds'] * 1000:.0f} ms",
                against=f"{FEW_USERS} users, {FEW_ROLES} roles: {few[path]['seconds'] * 1000:.0f} ms",
            )
        checks = control_plane.seed("checks(1000)")
        yield at_most("1,000 checks of grants in one request", checks["queries"], 1, unit=" queries")
        slowest = max(many.values(), key=lambda answer: answer["seconds"])
        yield at_most("the slowest of these pages", slowest["seconds"] * 1000, ASKED, unit=" ms")


def asked(control_plane: Installation) -> dict[str, dict[str, float]]:
    """Of each path how many queries its answer took, and the seconds."""
    found: dict[str, dict[str, float]] = control_plane.seed(f"ask({list(PATHS.values())!r})")
    return found
