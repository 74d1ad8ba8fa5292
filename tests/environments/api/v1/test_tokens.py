"""One's own API tokens over HTTP, and what a token shows of its owner."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.actor import API, Actor
from accounts.models import ApiToken, AuditEvent, Role, User
from environments.actions import users
from tests.conftest import client_of
from tests.factories import ProjectFactory, RoleFactory, administrator, give, take

URL = "/api/v1/tokens/"


def create(client: Client, **body):
    return client.post(URL, {"name": "ci", **body}, content_type="application/json")


def client_with(secret: str) -> Client:
    return Client(headers={"authorization": f"Bearer {secret}"})


def test_a_token_is_shown_once_and_works(as_ben):
    made = create(as_ben)
    assert made.status_code == 201
    secret = made.json()["token"]
    assert secret.startswith("cpt_")
    assert client_with(secret).get("/api/v1/me/").json()["username"] == "ben"
    listed = as_ben.get(URL).json()["results"]
    assert secret not in str(listed)
    assert secret.startswith(listed[0]["prefix"])
    assert AuditEvent.objects.filter(action="token.create", actor="ben").exists()


def test_a_grant_that_is_named_twice_counts_once_and_many_cost_no_more_than_one(as_ana, production):
    with CaptureQueriesContext(connection) as one:
        create(as_ana, grants=["models.read"])
    with CaptureQueriesContext(connection) as many:
        made = create(as_ana, grants=["models.read"] * 99 + ["models.write"] * 100)
    assert made.json()["grants"] == ["models.read", "models.write"]
    assert len(many) <= len(one)


def test_everybody_lists_their_own(as_ana, as_ben):
    create(as_ana, name="of-ana")
    assert "of-ana" not in [row["name"] for row in as_ben.get(URL).json()["results"]]


def test_a_revoked_token_is_worth_nothing(as_ben):
    made = create(as_ben).json()
    assert as_ben.delete(f"{URL}{made['id']}/").status_code == 204
    assert client_with(made["token"]).get("/api/v1/me/").status_code == 401
    assert as_ben.delete(f"{URL}{made['id']}/").status_code == 404


def test_nobody_revokes_the_token_of_another(as_ana, as_ben):
    made = create(as_ana).json()
    assert as_ben.delete(f"{URL}{made['id']}/").status_code == 404
    assert as_ben.delete(f"{URL}nonsense/").status_code == 404
    assert ApiToken.objects.get(pk=made["id"]).revoked_at is None


def test_a_narrower_token_revokes_itself_and_no_other(as_ben):
    other = create(as_ben).json()
    made = create(as_ben, grants=["models.read"]).json()
    narrow = client_with(made["token"])
    refused = narrow.delete(f"{URL}{other['id']}/")
    assert (refused.status_code, refused.json()["grant"]) == (403, "tokens.write")
    assert narrow.delete(f"{URL}{made['id']}/").status_code == 204


def test_a_narrower_token_with_the_grant_revokes_others(as_ben):
    other = create(as_ben).json()
    maker = client_with(create(as_ben, grants=["tokens.write"]).json()["token"])
    assert maker.delete(f"{URL}{other['id']}/").status_code == 204


def test_an_outsider_sees_no_project_to_have_tokens_for(as_cy):
    assert create(as_cy).status_code == 404


def test_without_the_grant_there_is_no_token(as_ben, ben):
    take(ben, "tokens.write")
    refused = create(as_ben)
    assert (refused.status_code, refused.json()["grant"]) == (403, "tokens.write")


def test_a_narrower_token_does_less(as_ben):
    secret = create(as_ben, grants=["models.read", "environments.experimental.write"]).json()["token"]
    narrow = client_with(secret).get("/api/v1/me/").json()["projects"]
    assert [one["grants"] for one in narrow] == [["models.read", "environments.experimental.write"]]


@pytest.mark.parametrize("grant", ["users.write", "environments.production.write", "environments.*.write"])
def test_nobody_gives_what_they_do_not_hold(as_ben, production, grant):
    refused = create(as_ben, grants=["models.read", grant])
    assert (refused.status_code, refused.json()["grant"]) == (403, grant)


def test_a_wildcard_holds_the_single_ones(as_ana, production):
    assert create(as_ana, grants=["environments.production.force", "environments.*.write"]).status_code == 201


@pytest.mark.parametrize("grant", ["nonsense", "environments.a.b.write", "environments..write"])
def test_an_unknown_grant_is_named(as_ana, grant):
    refused = create(as_ana, grants=[grant])
    assert refused.status_code == 400
    assert "environments.<name>.write" in refused.json()["errors"]["grants"][0]
    assert ApiToken.objects.filter(name="ci").count() == 0


@pytest.mark.parametrize("body", [{"name": ""}, {"name": "x" * 101}, {"expires_at": "yesterday"}, {"scope": "all"}])
def test_a_bad_body_names_the_field(as_ana, body):
    refused = create(as_ana, **body)
    assert (refused.status_code, list(refused.json()["errors"])) == (400, list(body))


def test_a_time_gone_by_is_no_expiry(as_ana, django_now):
    refused = create(as_ana, expires_at=(django_now - timedelta(seconds=1)).isoformat())
    assert "expires_at" in refused.json()["errors"]


def test_a_token_makes_none_that_gets_more_or_lasts_longer(as_ben, django_now):
    soon = (django_now + timedelta(hours=1)).isoformat()
    narrow = create(as_ben, grants=["tokens.write", "models.read"], expires_at=soon).json()["token"]
    maker = client_with(narrow)
    assert "grants" in create(maker, expires_at=soon).json()["errors"]
    assert create(maker, grants=["models.write"], expires_at=soon).json()["grant"] == "models.write"
    assert "expires_at" in create(maker, grants=["models.read"]).json()["errors"]
    assert create(maker, grants=["models.read"], expires_at=soon).status_code == 201


def test_the_administrator_holds_everything(as_ana, production):
    (project,) = as_ana.get("/api/v1/me/").json()["projects"]
    assert project["roles"] == ["admin"]
    assert {"audit.read", "environments.production.force"} <= set(project["grants"])


def test_an_outsider_has_no_project(as_cy):
    assert as_cy.get("/api/v1/me/").json() == {"username": "cy", "projects": []}


def test_nobody_is_nobody(client, project):
    refused = client.get("/api/v1/me/")
    assert refused.status_code == 401
    assert "WWW-Authenticate" in refused.headers


# Of service accounts


@pytest.fixture
def ci(project, by_ana) -> User:
    """A service account that uploads models."""
    role = RoleFactory(project=project, grants=["models.read", "models.write"])
    return users.create(username="ci", project=project, roles=[role], by=by_ana, is_service=True)


def test_ci_goes_on_when_the_one_who_made_its_token_leaves(as_ana, by_ana, ci, project):
    eva = administrator("eva")
    made = create(client_of(eva), account="CI")
    assert (made.status_code, made.json()["account"]) == (201, "ci")
    users.deactivate(user=eva, by=by_ana)
    me = client_with(made.json()["token"]).get("/api/v1/me/").json()
    assert (me["username"], me["projects"][0]["grants"]) == ("ci", ["models.read", "models.write"])
    assert [row["name"] for row in as_ana.get(f"{URL}?account=ci").json()["results"]] == ["ci"]
    assert "ci" not in [row["account"] for row in as_ana.get(URL).json()["results"]]
    assert as_ana.delete(f"{URL}{made.json()['id']}/").status_code == 204
    assert client_with(made.json()["token"]).get("/api/v1/me/").status_code == 401


def test_a_token_of_a_service_account_needs_all_that_it_holds(as_ben, ben, ci, project):
    assert create(as_ben, account="ci").json()["grant"] == "users.read"
    give(ben, project, "users.read")
    assert create(as_ben, account="ci").json()["grant"] == "users.write"
    assert as_ben.get(f"{URL}?account=ci").json()["grant"] == "users.write"
    give(ben, project, "users.write")
    assert create(as_ben, account="ci").status_code == 201
    give(ci, project, "audit.read")
    refused = create(as_ben, account="ci")
    assert (refused.status_code, refused.json()["grant"]) == (403, "audit.read")
    token = ApiToken.objects.get(user=ci)
    assert as_ben.delete(f"{URL}{token.pk}/").json()["grant"] == "audit.read"


@pytest.mark.parametrize("name", ["ben", "nobody", "a b", "x\u0000"])
def test_tokens_are_made_for_no_other_person(as_ana, ben, name):
    assert create(as_ana, account=name).status_code in (400, 404)
    assert not ApiToken.objects.filter(user=ben).exists()


def test_a_narrowed_token_makes_none_of_a_service_account_that_gets_more(as_ana, ci):
    narrow = create(as_ana, grants=["users.read", "users.write", "models.read"]).json()["token"]
    refused = create(client_with(narrow), account="ci", grants=["models.read"])
    assert (refused.status_code, refused.json()["grant"]) == (403, "models.write")


def test_a_service_account_of_one_project_opens_nothing_in_another(as_ana, by_ana, project, production):
    banking = ProjectFactory(name="banking")
    role = Role.objects.get(project=banking, name="admin")
    by = Actor(user=administrator("eva"), via=API)
    users.create(username="robot", project=banking, roles=[role], by=by, is_service=True)
    robot = client_with(create(client_of(by.user), account="robot").json()["token"])
    assert [one["name"] for one in robot.get("/api/v1/me/").json()["projects"]] == ["banking"]
    for path in (
        "/api/v1/environments/",
        "/api/v1/models/",
        "/api/projects/default/models",
        "/api/projects/default/models/tags/production",
        "/models/default",
    ):
        assert robot.get(path).status_code in (401, 404), path
    assert robot.get("/api/projects/banking/models").status_code == 200
