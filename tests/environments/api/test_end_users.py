"""End users' tokens: signed with the environment's secret they open the chat, as on a Rasa server, and nothing else."""

import time

import jwt
import pytest
from django.test import Client

from accounts.models import SigningKey
from tests import forging
from tests.factories import EnvironmentFactory, ProjectFactory, jwt_of
from tests.routes import API_ROUTES

# As long as HS512 likes them.
OWN = "the secret of production, and of no other environment, whatever they say"
COMMON = "the secret of all environments without their own"
FOREIGN = "a secret that was never declared anywhere"
MESSAGES = "/api/conversations/mia/messages"
USER = {"user": {"username": "mia", "role": "user"}}
ADMIN = {"user": {"username": "boss", "role": "admin"}}


@pytest.fixture(autouse=True)
def bot(settings, production, experimental, fake_rasa):
    """One server behind both environments; production has a secret of its own."""
    settings.JWT_SECRET = COMMON
    production.url = experimental.url = fake_rasa.url
    production.jwt_secret = OWN
    production.save()
    experimental.save()
    fake_rasa.load(model_id="a" * 32)
    return fake_rasa


def token(claims=USER, secret=OWN, algorithm="HS256", **more):
    return jwt.encode({"exp": int(time.time()) + 600} | claims | more, secret, algorithm=algorithm)


def say(credential, url=MESSAGES, **query):
    headers = {"authorization": f"Bearer {credential}"}
    return Client(headers=headers).post(url, {"message": "hi"}, content_type="application/json", query_params=query)


@pytest.mark.parametrize("url", [MESSAGES, MESSAGES + "/", MESSAGES[4:], "/api/projects/default" + MESSAGES[4:]])
def test_a_user_talks_in_the_conversation_of_their_name(url):
    answer = say(token(), url)
    assert answer.status_code == 200
    assert answer.json() == [{"recipient_id": "mia", "text": "Hello"}]


def test_in_another_conversation_they_are_403(bot):
    refused = say(token(), "/api/conversations/tom/messages")
    assert (refused.status_code, refused.json()["details"]["type"]) == (403, "/problems/chat-refused")
    assert not bot.requests


@pytest.mark.parametrize("conversation", ["mia", "tom", "boss"])
def test_an_admin_talks_in_any(conversation):
    assert say(token(ADMIN), f"/api/conversations/{conversation}/messages").status_code == 200


@pytest.mark.parametrize("role", ["guest", "", "Admin", "USER"])
def test_other_roles_talk_nowhere(role, bot):
    assert say(token({"user": {"username": "mia", "role": role}})).status_code == 403
    assert not bot.requests


def test_an_environment_without_a_secret_takes_the_common_one():
    assert say(token(secret=COMMON), environment="experimental").status_code == 200


def test_one_with_a_secret_takes_that_alone():
    assert say(token(secret=COMMON), environment="production").status_code == 401
    assert say(token(secret=OWN), environment="experimental").status_code == 401


def test_without_any_secret_none_is_taken(settings):
    settings.JWT_SECRET = ""
    for forged in (token(secret=COMMON), forging.signed({"alg": "HS256"}, USER, "")):
        assert say(forged, environment="experimental").status_code == 401


def test_the_secret_of_another_project_is_another_one():
    banking = ProjectFactory(name="banking")
    EnvironmentFactory(project=banking, name="production", jwt_secret=FOREIGN)
    assert say(token(), project="banking").status_code == 401
    assert say(token(secret=FOREIGN)).status_code == 401


def test_a_retired_environment_takes_none(production, django_now):
    production.retired_at = django_now
    production.save()
    assert say(token()).status_code == 401


@pytest.mark.parametrize("query", [{"environment": "nowhere"}, {"project": "nowhere"}])
def test_what_is_not_there_is_not_told_to_those_who_proved_nothing(query, settings):
    settings.JWT_SECRET = ""
    absent = say(token(), **query)
    assert absent.status_code == 401
    for there in ({}, {"environment": "experimental"}):
        assert say(token(secret=FOREIGN), **there).json() == absent.json()


def test_a_token_needs_no_end_as_on_a_rasa_server():
    assert say(jwt.encode(USER, OWN, algorithm="HS256")).status_code == 200


HEADER = {"alg": "HS256", "typ": "JWT"}


def forgeries():
    """Each way to forge a token, by name: none of them may work."""
    now = int(time.time())

    def sign(claims, header=HEADER):
        return forging.signed(header, claims, OWN)

    return {
        "none": forging.unsigned({"alg": "none"}, USER),
        "none without a dot": forging.unsigned({"alg": "none"}, USER)[:-1],
        "no signature": forging.unsigned(HEADER, USER),
        "another secret": forging.signed(HEADER, USER, FOREIGN),
        "none with a signature": sign(USER, {"alg": "none"}),
        "HS256 said to be HS512": sign(USER, {"alg": "HS512"}),
        "no algorithm": sign(USER, {"typ": "JWT"}),
        "HS384": token(algorithm="HS384"),
        "HS512": token(algorithm="HS512"),
        "expired": sign(USER | {"exp": now - 60}),
        "an end that is no time": sign(USER | {"exp": "soon"}),
        "no end": sign(USER | {"exp": None}),
        "an endless end": sign(USER | {"exp": float("inf")}),
        "not yet valid": sign(USER | {"nbf": now + 60}),
        "made in the future": sign(USER | {"iat": now + 60}),
        "another audience": sign(USER | {"aud": "somebody"}),
        "flat claims": sign({"username": "mia", "role": "user"}),
        "a user that is a name": sign({"user": "mia"}),
        "no role": sign({"user": {"username": "mia"}}),
        "no name": sign({"user": {"role": "admin"}}),
        "a name that is a number": sign({"user": {"username": 1, "role": "admin"}}),
        "several roles": sign({"user": {"username": "mia", "role": ["admin"]}}),
        "claims that are a list": sign([USER]),
        "claims that are a text": sign("user"),
        "other claims under the old signature": forging.altered(token(), **ADMIN),
        "an old signature and more": token() + "x",
    }


def test_a_forged_token_is_401_and_nothing_is_said(bot):
    answers = {name: say(forged) for name, forged in forgeries().items()}
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code != 401} == {}
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer") for answer in answers.values())
    assert not bot.requests
    assert say(token()).status_code == 200


def test_our_own_public_key_is_no_secret(ben):
    jwt_of(ben)
    assert say(forging.signed(HEADER, USER, SigningKey.objects.get().public_key)).status_code == 401


@pytest.mark.parametrize("claims", [USER, ADMIN])
def test_everywhere_else_it_is_401(claims):
    answers = {}
    client = Client(headers={"authorization": f"Bearer {token(claims)}"})
    for route, view in API_ROUTES:
        url = "/" + "/".join("default" if "<" in part else part for part in route.strip("/").split("/"))
        for method in ("get", "post", "put", "patch", "delete"):
            if hasattr(view, method) and not url.endswith("/messages"):
                answers[f"{method} {url}"] = client.generic(method.upper(), url, b"{}", content_type="application/json")
    open_routes = {"get /api/health", "get /api/version", "post /api/auth", "post /api/auth/jwt"}
    statuses = {where: answer.status_code for where, answer in answers.items() if where not in open_routes}
    assert len(statuses) > 30
    assert {where: status for where, status in statuses.items() if status != 401} == {}


def test_nor_does_it_open_a_conversation_to_read():
    client = Client(headers={"authorization": f"Bearer {token(ADMIN)}"})
    assert client.get("/api/conversations/mia/tracker").status_code == 401


def test_people_talk_as_before_and_need_the_grant(ben, dora):
    assert say(jwt_of(ben)).status_code == 200
    assert say(jwt_of(dora)).json()["details"]["grant"] == "conversations.write"


def test_a_secret_that_cannot_be_read_is_503_and_tells_nobody_which_key_is_missing(production):
    production.sealed_jwt_secret = "0123456789abcdef:s3cret"
    production.save()
    refused = say(token())
    assert refused.status_code == 503
    assert "its jwt_secret cannot be read" in refused.json()["message"]
    assert "0123456789abcdef" not in refused.text
