"""Guest links: who makes them, what they open, and what they do not."""

import time

import jwt
import pytest
from django.test import Client

from accounts.actions import api_tokens
from accounts.actor import API, Actor
from accounts.models import AuditEvent, Project
from environments.models import ChatToken
from tests.factories import EnvironmentFactory, ProjectFactory, give, take
from tests.routes import API_ROUTES

URL = "/api/chatToken"
JSON = "application/json"
OWN = "a-random-1234567890-token"


@pytest.fixture(autouse=True)
def bot(production, experimental, fake_rasa):
    production.url = experimental.url = fake_rasa.url
    production.save()
    experimental.save()
    fake_rasa.load(model_id="a" * 32)
    return fake_rasa


def put(client, **body):
    return client.put(URL, body, content_type=JSON)


def enter(token):
    return Client().post("/api/auth/jwt", {"chat_token": token}, content_type=JSON)


@pytest.fixture
def link(as_ana):
    return put(as_ana, bot_name="Otto", description="Knows cards.").json()


@pytest.fixture
def guest(link):
    return enter(link["chat_token"]).json()


def say(guest, conversation=None, query="", text="hi", prefix="/api"):
    client = Client(headers={"authorization": f"Bearer {guest['access_token']}"})
    url = f"{prefix}/conversations/{conversation or guest['conversation_id']}/messages{query}"
    return client.post(url, {"message": text}, content_type=JSON)


def test_a_link_is_made_and_shown_again(as_ana, link):
    assert (link["bot_name"], link["expires"], link["environment"]) == ("Otto", None, "production")
    assert as_ana.get(URL).json() == link
    assert link["chat_token"] not in ChatToken.objects.values_list("sealed_token", flat=True).get()


def test_there_is_none_before(as_ana):
    assert as_ana.get(URL).status_code == 404


def test_what_was_got_can_be_put_back_and_changes_nothing(as_ana, link):
    events = AuditEvent.objects.count()
    assert put(as_ana, **link).json() == link
    assert AuditEvent.objects.count() == events


def test_a_put_without_the_token_replaces_it_and_keeps_the_rest(as_ana, link, guest):
    replaced = put(as_ana).json()
    assert replaced["chat_token"] != link["chat_token"]
    assert replaced | {"chat_token": ""} == link | {"chat_token": ""}
    assert enter(link["chat_token"]).status_code == 401
    assert say(guest).status_code == 401


def test_a_put_with_the_token_keeps_the_guests(as_ana, link, guest):
    put(as_ana, chat_token=link["chat_token"], bot_name="Ottilie")
    assert say(guest).status_code == 200


def test_a_random_token_of_ones_own_is_taken_and_others_are_not(as_ana, link):
    assert put(as_ana, chat_token=OWN).json()["chat_token"] == OWN
    for guessable in ("demo", "a" * 40, "x" * 300, f"{OWN} ", "../" + OWN, 5):
        refused = put(as_ana, chat_token=guessable)
        assert (refused.status_code, list(refused.json()["details"]["errors"])) == (400, ["chat_token"])
    assert as_ana.get(URL).json()["chat_token"] == OWN


def test_the_token_of_another_projects_link_is_refused_like_any_bad_one(as_ana, ana):
    put(as_ana, chat_token=OWN)
    give(ana, ProjectFactory(name="banking"), "environments.read", "settings.write", "conversations.write")
    EnvironmentFactory(project=Project.objects.get(name="banking"), name="production")
    url = f"{URL}?project=banking"
    refused, bad = (as_ana.put(url, {"chat_token": token}, content_type=JSON) for token in (OWN, "guessable"))
    assert (refused.status_code, refused.json()) == (400, bad.json())
    assert ChatToken.objects.count() == 1


def test_the_audit_trail_tells_all_but_the_token(as_ana, link):
    event = AuditEvent.objects.get(action="guest_link.put")
    assert (event.actor, event.after["bot_name"], event.after["new_token"]) == ("ana", "Otto", True)
    assert link["chat_token"] not in str(AuditEvent.objects.values())


@pytest.mark.parametrize(
    "body", [{"expires": -1}, {"expires": 10**13}, {"expires": "soon"}, {"bot_name": "x" * 101}, {"environment": 5}]
)
def test_a_bad_member_is_named(as_ana, body):
    refused = put(as_ana, **body)
    assert (refused.status_code, list(refused.json()["details"]["errors"])) == (400, list(body))


def test_an_unknown_environment_is_not_there(as_ana):
    assert put(as_ana, environment="nowhere").status_code == 404


def test_who_lets_guests_talk_may_change_settings_and_talk(as_ben, ben, project, link):
    assert put(as_ben).json()["details"]["grant"] == "settings.write"
    give(ben, project, "settings.write")
    assert put(as_ben).status_code == 200
    take(ben, "conversations.write")
    assert put(as_ben).json()["details"]["grant"] == "conversations.write"
    assert as_ben.get(URL).json()["details"]["grant"] == "conversations.write"


def test_an_outsider_finds_no_link(as_cy, as_ana, link):
    assert as_cy.get(URL).status_code == 404
    assert put(as_cy).status_code == 404
    assert as_ana.get(URL).json() == link


def test_a_narrowed_token_lets_nobody_in(ana):
    _, secret = api_tokens.create(user=ana, name="ci", by=Actor(user=ana, via=API), grants=["settings.write"])
    assert put(Client(headers={"authorization": f"Bearer {secret}"})).status_code == 403
    assert not ChatToken.objects.exists()


def test_a_guest_talks(guest, bot):
    answer = say(guest)
    assert answer.json() == [{"recipient_id": guest["conversation_id"], "text": "Hello"}]
    assert say(guest, query="?environment=production").status_code == 200
    assert say(guest, prefix="").status_code == 200
    assert say(guest, prefix="/api/projects/default").status_code == 200


def test_each_guest_has_a_conversation_of_their_own(link, guest):
    other = enter(link["chat_token"]).json()
    assert other["conversation_id"] != guest["conversation_id"]
    refused = say(guest, other["conversation_id"])
    assert (refused.status_code, refused.json()["details"]["type"]) == (403, "/problems/chat-refused")


def test_another_environment_or_project_is_refused(guest, bot):
    ProjectFactory(name="other")
    asked = len(bot.requests)
    assert say(guest, query="?environment=experimental").status_code == 403
    assert say(guest, query="?project=other").status_code == 403
    assert say(guest, prefix="/api/projects/other").status_code == 403
    assert len(bot.requests) == asked


def test_the_environment_of_the_link_is_the_one_that_answers(as_ana, bot):
    guest = enter(put(as_ana, environment="experimental").json()["chat_token"]).json()
    assert say(guest).status_code == 200
    assert say(guest, query="?environment=production").status_code == 403


def test_a_long_message_is_refused(guest, bot):
    asked = len(bot.requests)
    assert "message" in say(guest, text="x" * 2001).json()["details"]["errors"]
    assert len(bot.requests) == asked


@pytest.mark.parametrize(("route", "view"), API_ROUTES, ids=[route for route, _ in API_ROUTES])
def test_a_guests_token_opens_no_other_route(guest, route, view):
    if route.endswith("/messages") or route in ("api/health", "api/version", "api/auth", "api/auth/jwt"):
        return
    client = Client(headers={"authorization": f"Bearer {guest['access_token']}"})
    path = "/" + route.replace("<path:conversation>", guest["conversation_id"])
    path = path.replace("<str:project>", "default").replace("<path:replica>", "r")
    for method in ("get", "post", "put", "patch", "delete"):
        if hasattr(view, method):
            assert getattr(client, method)(path, {}, content_type=JSON).status_code == 401, method


def test_the_link_itself_is_no_credential(link):
    client = Client(headers={"authorization": f"Bearer {link['chat_token']}"})
    assert client.get("/api/user").status_code == 401
    assert client.get(f"/api/user?api_token={link['chat_token']}").status_code == 401


def test_a_link_ends_at_its_time(as_ana, link, guest):
    put(as_ana, chat_token=link["chat_token"], expires=int(time.time()) - 1)
    assert enter(link["chat_token"]).status_code == 401
    assert say(guest).status_code == 401


def test_a_token_outlives_neither_the_link_nor_eight_hours(as_ana, link, guest):
    def seconds_of(token):
        claims = jwt.decode(token, options={"verify_signature": False})
        return claims["exp"] - claims["iat"]

    assert seconds_of(guest["access_token"]) == 8 * 3600
    put(as_ana, chat_token=link["chat_token"], expires=int(time.time()) + 60)
    assert seconds_of(enter(link["chat_token"]).json()["access_token"]) <= 60


def test_the_link_of_a_retired_environment_leads_nowhere(link, guest, production, django_now):
    production.retired_at = django_now
    production.save()
    assert enter(link["chat_token"]).status_code == 401
    assert say(guest).status_code == 401


@pytest.mark.parametrize("body", [{}, {"chat_token": None}, {"chat_token": 5}, {"chat_token": "x" * 201}])
def test_a_bad_entry_is_400(link, body):
    assert Client().post("/api/auth/jwt", body, content_type=JSON).status_code == 400


@pytest.mark.parametrize("token", ["", "nonsense", "A" * 32])
def test_an_unknown_link_is_401(link, token):
    assert enter(token or " ").status_code == 401
