"""Pages of Access cost the same in a company: as many queries for 10,000 users and 200 roles as for a few."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import ApiToken, Role, User
from environments import role_grants
from environments.role_grants import GroupObjectPermission
from tests.environments.pages.test_scale import queries
from tests.factories import RoleFactory, give

MANY_USERS, MANY_ROLES, BATCH = 10_000, 200, 2000
GRANTS = ("environments.read", "models.read", "environments.production.write")

SHOWN = [
    "/p/default/access/",
    "/p/default/access/?q=person&role=releases&state=active",
    "/p/default/access/users/ben/",
    "/p/default/access/new-user/",
    "/p/default/access/roles/",
    "/p/default/access/roles/releases/",
    "/p/default/access/roles/releases/delete/",
    "/p/default/access/new-role/",
    "/p/default/access/tokens/",
    "/p/default/access/who-may/production/",
]


def many(project, users: int, roles: int, start: int) -> None:
    """Users with the role `releases`, every third a role of their own and a token; so many roles."""
    releases = Role.objects.get(name="releases")
    groups = Group.objects.bulk_create([Group(name=f"default/made-{start + n}") for n in range(roles)])
    made = Role.objects.bulk_create(
        [Role(project=project, name=f"made-{start + n}", group=group) for n, group in enumerate(groups)]
    )
    rows = list(GroupObjectPermission.objects.filter(group=releases.group_id))
    GroupObjectPermission.objects.bulk_create(
        [
            GroupObjectPermission(
                group=group,
                permission_id=row.permission_id,
                content_type_id=row.content_type_id,
                object_pk=row.object_pk,
            )
            for group in groups
            for row in rows
        ]
    )
    people = User.objects.bulk_create(
        [User(username=f"person-{start + n}", password="!") for n in range(users)], batch_size=BATCH
    )
    membership = User.groups.through
    membership.objects.bulk_create(
        [membership(user=person, group_id=releases.group_id) for person in people]
        + [membership(user=person, group_id=made[n % len(made)].group_id) for n, person in enumerate(people[::3])],
        batch_size=BATCH,
    )
    ApiToken.objects.bulk_create(
        [
            ApiToken(
                user=person, name="ci", prefix="cpt_abc123", digest=f"{person.pk:064}", last_used_at=timezone.now()
            )
            for person in people[::3]
        ],
        batch_size=BATCH,
    )


@pytest.fixture
def company(project, production, experimental, ana_looks, ben):
    releases = RoleFactory(project=project, name="releases", grants=GRANTS)
    ben.groups.add(releases.group_id)
    ana_looks.get("/p/default/")
    many(project, 9, 3, 0)
    return releases


@pytest.mark.parametrize("path", SHOWN)
def test_as_many_queries_for_10_000_users_and_200_roles_as_for_a_few(ana_looks, company, project, path):
    few = queries(ana_looks, path)
    many(project, MANY_USERS, MANY_ROLES, 9)
    started = timezone.now()
    found = queries(ana_looks, path)
    assert len(found) == len(few), "\n".join(found)
    assert timezone.now() - started < timedelta(seconds=10)


def previewed(client) -> tuple[int, str]:
    """How many queries it costs to tell what a change will change, and what is told."""
    sent = {"of": "releases", "name": "releases", "grant": ["environments.read"]}
    with CaptureQueriesContext(connection) as captured:
        answer = client.post("/p/default/access/role-preview/", sent)
    assert answer.status_code == 200
    return len(captured.captured_queries), answer.content.decode()


def test_the_preview_of_a_change_for_10_000_users_asks_as_often_as_for_a_few(ana_looks, company, project):
    few, _ = previewed(ana_looks)
    many(project, MANY_USERS, MANY_ROLES, 9)
    found, told = previewed(ana_looks)
    assert found == few
    assert "6,673 people will no longer be able to promote to production: ben, person-1" in told


def test_a_user_with_many_roles_costs_as_much_as_one_with_a_few(ana_looks, company, project, ben):
    path = "/p/default/access/users/ben/"
    few = queries(ana_looks, path)
    for _ in range(30):
        give(ben, project, *GRANTS)
    assert len(queries(ana_looks, path)) == len(few)
    assert len(role_grants.of_roles(Role.objects.of_user(ben))) > 30
