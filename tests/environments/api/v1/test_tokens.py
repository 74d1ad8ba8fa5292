"""One's own API tokens over HTTP, and what a token shows of its owner."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import ApiToken, AuditEvent

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
    ben.userobjectpermission_set.filter(permission__codename="tokens.write").delete()
    refused = create(as_ben)
    assert (refused.status_code, refused.json()["grant"]) == (403, "tokens.write")


def test_a_narrower_token_does_less(as_ben):
    secret = create(as_ben, grants=["models.read", "environments.experimental.write"]).json()["token"]
    narrow = client_with(secret).get("/api/v1/me/").json()["projects"]
    assert narrow == [{"name": "default", "roles": [], "grants": ["models.read", "environments.experimental.write"]}]


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
