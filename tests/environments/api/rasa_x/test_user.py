"""`/api/user`: one's own account as Rasa X clients read and change it."""

import pytest
from django.test import Client

from accounts.actions import api_tokens
from accounts.actor import API, Actor
from accounts.models import User
from tests.conftest import client_of
from tests.factories import ProjectFactory, give

URL = "/api/user"
JSON = "application/json"


def patch(client, **body):
    return client.patch(URL, body, content_type=JSON)


def test_everybody_sees_who_they_are(as_ana, as_cy):
    assert as_ana.get(URL).json() == {
        "username": "ana",
        "roles": ["admin"],
        "projects": [{"name": "default", "roles": ["admin"]}],
        "authentication_mechanism": "username_password",
    }
    assert as_cy.get(URL).json()["projects"] == []


def test_the_roles_are_those_of_the_project_that_is_asked_for(as_cy, cy):
    role = give(cy, ProjectFactory(name="other"), "models.read")
    assert as_cy.get(f"{URL}?project=other").json()["roles"] == [role.name]
    assert as_cy.get(URL).json()["roles"] == []
    assert as_cy.get(f"{URL}?project=default").status_code == 404


def test_only_the_name_can_be_changed(as_ben, ben):
    answer = patch(as_ben, username="benjamin", is_active=False, roles=["admin"], projects=[], service_of=1, id=1)
    assert (answer.status_code, answer.json()["username"]) == (200, "benjamin")
    changed = User.objects.get(pk=ben.pk)
    assert (changed.username, changed.is_active, changed.service_of) == ("benjamin", True, None)
    assert answer.json()["roles"] == as_ben.get(URL).json()["roles"] != ["admin"]
    assert patch(as_ben).json()["username"] == "benjamin"


@pytest.mark.parametrize(("username", "status"), [("ANA", 409), ("be n", 400), ("", 400), (5, 400), ("b\u0435n", 400)])
def test_a_name_that_cannot_be_had(as_ben, ana, username, status):
    assert patch(as_ben, username=username).status_code == status
    assert as_ben.get(URL).json()["username"] == "ben"


def test_a_narrowed_token_changes_nobodys_name(ben):
    _, secret = api_tokens.create(user=ben, name="ci", by=Actor(user=ben, via=API), grants=["models.read"])
    narrow = Client(headers={"authorization": f"Bearer {secret}"})
    assert patch(narrow, username="benjamin").json()["reason"] == "NotAuthorized"
    assert narrow.get(URL).json()["username"] == "ben"


OLD, NEW = "correct horse 7", "battery staple 8"


@pytest.fixture
def eve(project):
    return User.objects.create_user("eve", OLD)


def change(client, **body):
    return client.post(f"{URL}/password", {"old_password": OLD, "new_password": NEW, **body}, content_type=JSON)


def test_a_new_password_opens_and_the_old_one_does_not(eve, client):
    answer = change(client_of(eve), username="eve", is_active=False)
    assert (answer.status_code, answer.json()["username"]) == (200, "eve")
    assert client.login(username="eve", password=NEW)
    assert not client.login(username="eve", password=OLD)
    assert User.objects.get(pk=eve.pk).is_active


def test_the_session_that_asks_goes_on_and_others_end(eve):
    browsers = Client(), Client()
    for browser in browsers:
        browser.force_login(eve)
    assert change(browsers[0]).status_code == 200
    assert [browser.get(URL).status_code for browser in browsers] == [200, 401]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"old_password": "wrong"}, "old_password"),
        ({"new_password": "short"}, "new_password"),
        ({"new_password": None}, "new_password"),
        ({"username": "ana"}, "username"),
    ],
)
def test_a_refused_change_names_the_field_and_no_password(eve, ana, body, field):
    refused = change(client_of(eve), **body)
    assert (refused.status_code, list(refused.json()["details"]["errors"])) == (400, [field])
    assert not any(secret in refused.content.decode() for secret in (OLD, NEW))
    assert User.objects.get(pk=eve.pk).check_password(OLD)


def test_a_narrowed_token_changes_nobodys_password(eve, project):
    give(eve, project, "models.read")
    _, secret = api_tokens.create(user=eve, name="ci", by=Actor(user=eve, via=API), grants=["models.read"])
    narrow = Client(headers={"authorization": f"Bearer {secret}"})
    assert change(narrow).status_code == 403
    assert User.objects.get(pk=eve.pk).check_password(OLD)


def test_nobody_is_asked_to_sign_in(client, project):
    assert client.get(URL).json()["exception"] == "Unauthorized"
