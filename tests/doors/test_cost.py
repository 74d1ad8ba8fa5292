"""A permission check costs no query beyond the first of a request, however much there is to hold."""

import re

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.grants_table import PROJECT_GRANTS
from environments.models import Environment
from tests.doors import cast, world
from tests.doors.rows import ROWS
from tests.doors.test_table import INSTALLATION_TOKEN, ask
from tests.factories import EnvironmentFactory, TrainedModelFactory, UserFactory, give

# The one query of `grants.of`: what the groups of a user hold.
READS_GRANTS = re.compile(r'FROM "guardian_groupobjectpermission".*"accounts_user_groups"."user_id" = ')
MANY = 30
# What changes something reads its maker's grants anew, under the lock that the change is made under.
AT_MOST = {"GET": 1, "POST": 3, "PUT": 3, "PATCH": 3, "DELETE": 3}


@pytest.fixture
def made(db, settings, sent):
    settings.RASA_X_TOKEN = INSTALLATION_TOKEN
    return world.make()


def caller(user):
    return cast.Caller(user.username, cast.session_of(user), "session", user=user.username, role="admin")


def queries(row, asker, places):
    with CaptureQueriesContext(connection) as captured:
        response, _, _ = ask(row, asker, places)
    return response.status_code, [query["sql"] for query in captured]


def test_no_request_reads_the_grants_of_who_asks_twice(made):
    asker, wrong, shown = caller(made.admin), [], []
    for row in ROWS:
        _, statements = queries(row, asker, made.places)
        reads = sum(bool(READS_GRANTS.search(statement)) for statement in statements)
        shown += [reads] if row.method == "GET" else []
        if reads > AT_MOST[row.method]:
            wrong.append(f"{row}: {reads}")
    assert wrong == []
    assert set(shown) == {0, 1}


def test_as_many_queries_for_one_role_as_for_many(made):
    """One holds everything by one role, the other by thirty, on thirty environments."""
    for number in range(MANY):
        EnvironmentFactory(project=made.project, name=f"place-{number}", url=f"http://place-{number}:5005")
        TrainedModelFactory(project=made.project)
    words = [
        f"environments.{name}.write"
        for name in Environment.objects.filter(project=made.project).values_list("name", flat=True)
    ]
    one, many = UserFactory(username="one"), UserFactory(username="many")
    give(one, made.project, *PROJECT_GRANTS, *words)
    for word in (*PROJECT_GRANTS, *words):
        give(many, made.project, word)
    shown = [row for row in ROWS if row.method == "GET" and row.needs != ("anybody",)]
    first, second = caller(one), caller(many)
    for row in shown:  # what is noted once a minute, or kept
        ask(row, first, made.places)
        ask(row, second, made.places)
    wrong = {}
    for row in shown:
        # On a slow machine a minute passes in between: what is noted in one of them is not noted in the next.
        for _ in range(3):
            few, more = (counted(row, asker, made.places) for asker in (first, second))
            if few == more:
                break
        else:
            wrong[str(row)] = (few, more)
    assert wrong == {}


def counted(row, asker, places):
    status, statements = queries(row, asker, places)
    return status, len(statements)


@pytest.mark.parametrize(
    "path",
    ["/p/default/", "/p/default/models/", "/api/v1/environments/", "/api/v1/models/", "/api/projects/default/models"],
)
def test_a_list_of_many_asks_for_permission_no_more_often_than_one_of_few(made, path):
    client = cast.session_of(made.admin)

    def count():
        client.get(path)
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            assert client.get(path).status_code == 200
        return len([query for query in captured if "guardian" in query["sql"] or "accounts_role" in query["sql"]])

    few = count()
    for number in range(MANY):
        EnvironmentFactory(project=made.project, name=f"place-{number}", url=f"http://place-{number}:5005")
        TrainedModelFactory(project=made.project)
    assert (few, count()) == (1, 1)
