"""Talking to an environment's bot through the control plane."""

from urllib.parse import quote

import pytest

from accounts.actions import api_tokens
from environments.actions import promotions
from environments.api import limits
from tests.conftest import client_of
from tests.factories import EnvironmentFactory, ProjectFactory, TrainedModelFactory, UserFactory, give

MESSAGES = "/api/conversations/me/messages"
TRACKER = "/api/conversations/me/tracker"


@pytest.fixture
def bot(production, otter, fake_rasa):
    """The server of production, with the otter loaded and a token."""
    production.url, production.rasa_token = fake_rasa.url, "s3cret"
    production.save()
    fake_rasa.token = "s3cret"
    fake_rasa.load(model_id=otter.model_id)
    return fake_rasa


def say(client, url=MESSAGES, text="hi"):
    return client.post(url, {"message": text}, content_type="application/json")


@pytest.mark.parametrize(
    "url",
    [
        MESSAGES,
        "/conversations/me/messages",
        "/conversations/me/messages/",
        "/api/projects/default/conversations/me/messages",
        MESSAGES + "?environment=production",
        MESSAGES + "?project=default",
    ],
)
def test_the_bot_answers_and_its_model_is_named(as_ben, bot, url):
    answer = say(as_ben, url)
    assert answer.status_code == 200
    assert answer.json() == [{"recipient_id": "me", "text": "Hello"}]
    assert answer.headers["X-Model"] == "brisk-otter"
    assert bot.requests[-1][3] == b'{"sender":"me","message":"hi"}'


def test_what_is_said_is_passed_on_as_it_was(as_ben, bot):
    say(as_ben, text="  grüß\n dich  ")
    assert "  grüß\\n dich  " in bot.requests[-1][3].decode()


@pytest.mark.parametrize("conversation", ["a b", "a/b", "ü@x.y", "a?b#c", "a%2Fb", "a;b", "..x"])
def test_any_id_reaches_the_bot_as_it_was_sent(as_ben, bot, conversation):
    quoted = quote(conversation, safe="")
    assert say(as_ben, f"/api/conversations/{quoted}/messages").json()[0]["recipient_id"] == conversation
    assert as_ben.get(f"/api/conversations/{quoted}/tracker").json()["sender_id"] == conversation


@pytest.mark.parametrize("conversation", [".", ".."])
def test_an_id_that_is_another_path_is_refused(as_ben, bot, conversation):
    asked = len(bot.requests)
    refused = as_ben.get(f"/api/conversations/%2E{conversation[1:]}/tracker")
    assert refused.status_code in (400, 404)
    assert not [request for request in bot.requests[asked:] if request[1] != "/status"]


def test_the_environment_is_chosen_in_the_query(as_ben, bot, experimental, heron):
    experimental.url = bot.url
    experimental.rasa_token = "s3cret"
    experimental.save()
    bot.load(model_id=heron.model_id)
    assert say(as_ben, MESSAGES + "?environment=experimental").headers["X-Model"] == "calm-heron"


def test_of_two_models_with_one_id_the_promoted_one_answered(as_ben, by_ana, production, otter, bot):
    promotions.promote(environment=production, model=otter, by=by_ana)
    TrainedModelFactory(name="repacked", model_id=otter.model_id)
    assert say(as_ben).headers["X-Model"] == "brisk-otter"


def test_a_model_that_is_not_known_is_not_named(as_ben, bot):
    bot.load(model_id="f" * 32)
    assert "X-Model" not in say(as_ben).headers


def test_a_server_without_a_model_is_503_and_named(as_ben, bot):
    bot.model_id = ""
    refused = say(as_ben)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "10"
    assert refused.json()["details"] == {"type": "/problems/environment-unavailable", "environment": "production"}
    assert "production cannot answer: its server has no model loaded" in refused.json()["message"]


def test_a_server_that_is_away_is_503_and_named(as_ben, bot):
    bot.stop()
    refused = say(as_ben)
    assert refused.status_code == 503
    assert "production cannot answer: No connection could be made." in refused.json()["message"]
    bot.start()


def test_a_wrong_token_is_told_and_neither_it_nor_the_servers_words_are(as_ben, production, bot):
    production.rasa_token = "wr0ng"
    production.save()
    refused = say(as_ben)
    assert refused.status_code == 503
    assert "refused with the status 401. Compare its token" in refused.json()["message"]
    assert "wr0ng" not in refused.text
    assert "not authenticated" not in refused.text


def test_a_token_that_cannot_be_read_is_503_and_tells_no_more(as_ben, production, bot):
    production.sealed_rasa_token = "s3cret"
    production.save()
    refused = say(as_ben)
    assert refused.status_code == 503
    assert "production cannot answer: the token of its server cannot be read" in refused.json()["message"]
    assert "s3cret" not in refused.text


def test_an_environment_without_a_url_is_503(as_ben, production):
    production.url = ""
    production.save()
    assert "no URL is declared" in say(as_ben).json()["message"]


def test_too_many_at_a_time_are_503_and_the_slot_is_given_back(settings, as_ben, bot):
    settings.MAX_CHATS = 1
    assert limits.CHATS.try_acquire()
    refused = say(as_ben)
    assert (refused.status_code, refused.json()["details"]["type"]) == (503, "/problems/busy")
    assert refused.headers["Retry-After"]
    limits.CHATS.release()
    assert [say(as_ben).status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("body", [{}, {"message": ""}, {"message": None}, {"message": ["hi"]}, [], {"text": "hi"}])
def test_without_a_message_it_is_400(as_ben, bot, body):
    assert as_ben.post(MESSAGES, body, content_type="application/json").status_code == 400
    assert not bot.requests


@pytest.mark.parametrize("query", ["?environment=nowhere", "?project=nowhere"])
def test_an_unknown_environment_or_project_is_404(as_ben, bot, query):
    assert say(as_ben, MESSAGES + query).status_code == 404
    assert as_ben.get(TRACKER + query).status_code == 404


def test_the_tracker_is_passed_on(as_ben, bot):
    assert as_ben.get(TRACKER).json() == {"sender_id": "me", "slots": {}, "events": []}


def test_an_outsider_learns_nothing(as_cy, bot):
    assert say(as_cy).status_code == 404
    assert as_cy.get(TRACKER).status_code == 404
    assert not bot.requests


def test_reading_and_talking_are_grants_of_their_own(as_dora, bot):
    assert say(as_dora).json()["details"]["grant"] == "conversations.write"
    assert as_dora.get(TRACKER).json()["details"]["grant"] == "conversations.read"
    assert not bot.requests


def test_old_scripts_send_their_token_in_the_query(bot, ben, by_ben, client):
    _, secret = api_tokens.create(user=ben, name="old", by=by_ben)
    assert say(client, f"{MESSAGES}?api_token={secret}").status_code == 200


def test_the_bot_of_another_project_is_apart(bot):
    banking = ProjectFactory(name="banking")
    EnvironmentFactory(project=banking, name="production", url=bot.url)
    teller = UserFactory(username="teller")
    give(teller, banking, "environments.read", "conversations.write")
    bot.token = ""
    assert say(client_of(teller), MESSAGES + "?project=banking").status_code == 200
    assert say(client_of(teller)).status_code == 404
