"""`POST /api/auth`: a token for name and password."""

import jwt
import pytest
from django.test import Client

from accounts.models import AuditEvent, SigningKey, signing_key
from tests.factories import UserFactory

PASSWORD = "a long enough password"


@pytest.fixture
def ben(ben):
    ben.set_password(PASSWORD)
    ben.save()
    return ben


def sign_in(username="ben", password=PASSWORD, url="/api/auth", **more):
    body = {"username": username, "password": password, **more}
    return Client().post(url, body, content_type="application/json")


@pytest.mark.parametrize("url", ["/api/auth", "/api/auth/"])
def test_name_and_password_give_a_token_that_works(ben, url):
    answer = sign_in(url=url)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token"}
    client = Client(headers={"authorization": f"Bearer {answer.json()['access_token']}"})
    assert client.get("/api/v1/me/").json()["username"] == "ben"


def test_its_public_key_is_among_those_of_the_version_newest_first(ben):
    token = sign_in().json()["access_token"]
    newer = signing_key.make()
    keys = Client().get("/api/version").json()["keys"]
    assert [key["alg"] for key in keys] == ["RS256", "RS256"]
    assert keys[0]["key"] == newer.public_key
    assert jwt.decode(token, keys[1]["key"], algorithms=["RS256"])["username"] == "ben"
    assert "PRIVATE" not in str(keys)


def test_the_case_of_the_name_does_not_matter_and_that_of_the_password_does(ben):
    token = sign_in("BEN").json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["username"] == "ben"
    assert sign_in(password=PASSWORD.upper()).status_code == 401


@pytest.mark.parametrize(("username", "password"), [("ben", "wrong"), ("ben", PASSWORD + " "), ("nobody", PASSWORD)])
def test_anything_else_is_401_in_the_body_that_clients_know(ben, username, password):
    refused = sign_in(username, password)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    body = refused.json()
    assert (body["status"], body["exception"], body["code"]) == ("failure", "Unauthorized", 401)
    assert body["reasons"] == [body["message"]]
    assert password not in refused.text


def test_whether_there_is_such_a_user_is_not_told(ben):
    assert sign_in("nobody", "wrong").json() == sign_in("ben", "wrong").json()


def test_who_was_deactivated_gets_none(ben):
    ben.is_active = False
    ben.save()
    assert sign_in().status_code == 401


def test_a_service_account_gets_none_even_with_a_password(project):
    robot = UserFactory(username="robot", service_of=project)
    robot.set_password(PASSWORD)
    robot.save()
    assert sign_in("robot").status_code == 401


@pytest.mark.parametrize(
    "body", [{}, {"username": "ben"}, {"username": "ben", "password": 1}, {"username": ["ben"], "password": "x"}, []]
)
def test_a_body_that_is_none_is_400(ben, body):
    assert Client().post("/api/auth", body, content_type="application/json").status_code == 400


@pytest.mark.parametrize("name", ["ben\0", "b" * 151])
def test_a_name_that_is_none_is_400(ben, name):
    assert sign_in(name).status_code == 400


def test_members_that_old_clients_send_are_passed_over(ben):
    assert sign_in(remember=True).status_code == 200


def test_it_is_audited_without_any_secret(ben):
    token = sign_in().json()["access_token"]
    event = AuditEvent.objects.get(action="token.issue")
    assert (event.actor, event.object, event.via, event.token) == ("ben", "user:ben", "rasa_x", "")
    assert PASSWORD not in str(event.after)
    assert token not in str(event.after)


def test_what_is_done_with_the_token_names_it_in_the_audit_trail(ben, experimental, stored_model):
    stored_model("brisk-otter")
    client = Client(headers={"authorization": f"Bearer {sign_in().json()['access_token']}"})
    assert client.put("/api/projects/default/models/brisk-otter/tags/experimental").status_code == 204
    event = AuditEvent.objects.get(action="environment.promote")
    assert (event.actor, event.token) == ("ben", "JWT")


def test_who_failed_too_often_is_told_when_to_come_again(ben, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        assert sign_in(password="wrong").status_code == 401
    refused = sign_in()
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert refused.json()["details"]["type"] == "/problems/sign-in-locked"


def test_a_failure_is_audited_without_what_was_typed(ben):
    sign_in(password="almost right")
    sign_in("a password in the wrong field")
    events = AuditEvent.objects.filter(action="session.refused")
    assert sorted((event.object, event.via) for event in events) == [("user:?", "rasa_x"), ("user:ben", "rasa_x")]


def test_a_sign_in_makes_no_session(ben):
    assert not sign_in().cookies


def test_a_first_key_is_made_when_it_is_needed(ben):
    assert not SigningKey.objects.exists()
    assert sign_in().status_code == 200
    assert SigningKey.objects.count() == 1
