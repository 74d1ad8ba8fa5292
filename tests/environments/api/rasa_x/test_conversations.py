"""`/api/conversations`: what went through the chat, found by filters, with the tracker of its server."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from environments.models import Message
from environments.states import Door
from tests.conftest import client_of
from tests.factories import EnvironmentFactory, MessageFactory, ProjectFactory, UserFactory, give, take

LIST = "/api/conversations"
ONE = "/api/conversations/me"


@pytest.fixture
def bot(production, otter, fake_rasa):
    production.url = fake_rasa.url
    production.save()
    fake_rasa.load(model_id=otter.model_id)
    return fake_rasa


def ids(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["conversation_id"] for item in answer.json()]


def test_what_is_said_is_listed_with_the_members_of_rasa_x(as_ben, bot):
    as_ben.post(f"{ONE}/messages", {"message": "hi"}, content_type="application/json")
    [item] = as_ben.get(LIST).json()
    assert abs(item.pop("latest_event_time") - timezone.now().timestamp()) < 60
    assert item == {
        "conversation_id": "me",
        "environment": "production",
        "latest_input_channel": "rest",
        "intents": [],
        "actions": [],
        "policies": [],
        "minimum_action_confidence": None,
        "minimum_intent_confidence": None,
        "n_user_messages": 1,
        "model": "brisk-otter",
    }
    assert Message.objects.get().door == Door.API


def test_a_conversation_sums_up_its_messages(as_ben, production):
    MessageFactory(environment=production, confidence=0.4)
    MessageFactory(
        environment=production, intent="goodbye", actions=["action_save", "utter_bye"], action_confidence=0.6
    )
    [item] = as_ben.get(LIST).json()
    assert item["n_user_messages"] == 2
    assert sorted(item["intents"]) == ["goodbye", "greet"]
    assert sorted(item["actions"]) == ["action_save", "utter_bye", "utter_greet"]
    assert (item["minimum_intent_confidence"], item["minimum_action_confidence"]) == (0.4, 0.6)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["sure", "unsure", "tried"]),
        ("?environment=production", ["sure", "unsure"]),
        ("?intent=goodbye", ["tried"]),
        ("?model=calm-heron", ["tried"]),
        ("?model=unknown", []),
        ("?maximum_confidence=0.5", ["unsure"]),
        ("?minimum_confidence=0.5", ["sure", "tried"]),
        ("?minimum_confidence=0.35&maximum_confidence=0.6", []),
        ("?text=LOST", ["unsure"]),
        ("?text=%25", []),
        ("?limit=1", ["sure"]),
        ("?limit=1&offset=2", ["tried"]),
    ],
)
def test_conversations_are_found(as_ben, production, experimental, otter, heron, query, found):
    MessageFactory(environment=experimental, conversation="tried", intent="goodbye", model=heron)
    MessageFactory(environment=production, conversation="unsure", text="I lost it", confidence=0.3, model=otter)
    MessageFactory(environment=production, conversation="sure", model=otter)
    answer = as_ben.get(LIST + query)
    assert ids(answer) == found
    assert answer.headers["X-Total-Count"] == str(len(found) if "limit" not in query else 3)


def test_a_conversation_is_found_by_one_message_that_is_as_all_parameters_ask(as_ben, production):
    MessageFactory(environment=production, intent="greet", confidence=0.9)
    MessageFactory(environment=production, intent="goodbye", confidence=0.2)
    assert ids(as_ben.get(f"{LIST}?intent=greet&maximum_confidence=0.5")) == []
    assert ids(as_ben.get(f"{LIST}?intent=goodbye&maximum_confidence=0.5")) == ["me"]


def test_conversations_are_found_by_time(as_ben, production):
    now = timezone.now()
    for days in (1, 3, 5):
        MessageFactory(environment=production, conversation=f"{days}", at=now - timedelta(days=days))
    since, until = (now - timedelta(days=days) for days in (5, 1))
    query = {"since": since.isoformat(), "until": until.isoformat()}
    assert ids(as_ben.get(LIST, query)) == ["3", "5"]


@pytest.mark.parametrize(
    "query",
    ["minimum_confidence=x", "maximum_confidence=1.1", "minimum_confidence=nan", "since=yesterday", "limit=-1"],
)
def test_a_parameter_that_cannot_be_read_is_named(as_ben, production, query):
    refused = as_ben.get(f"{LIST}?{query}")
    assert refused.status_code == 400
    assert query.partition("=")[0] in refused.json()["message"]


def test_the_same_id_in_two_environments_is_two_conversations(as_ben, production, experimental):
    for environment in (production, experimental):
        MessageFactory(environment=environment)
    assert [item["environment"] for item in as_ben.get(LIST).json()] == ["experimental", "production"]


def test_one_conversation_is_its_tracker_and_what_the_list_tells(as_ben, bot):
    as_ben.post(f"{ONE}/messages", {"message": "hi there"}, content_type="application/json")
    one = as_ben.get(ONE).json()
    assert (one["sender_id"], one["conversation_id"], one["n_user_messages"]) == ("me", "me", 1)
    assert [event["text"] for event in one["events"] if event["event"] == "user"] == ["hi there"]
    assert bot.requests[-1][2]["include_events"] == "ALL"


def test_one_that_never_went_through_is_404_and_begins_none(as_ben, bot):
    assert as_ben.get(ONE).status_code == 404
    assert not [path for _, path, _, _ in bot.requests if "tracker" in path]


def test_without_an_environment_it_is_the_one_talked_in_last(as_ben, bot, production, experimental):
    MessageFactory(environment=experimental)
    MessageFactory(environment=production)
    assert as_ben.get(ONE).json()["environment"] == "production"
    refused = as_ben.get(f"{ONE}?environment=worker")
    assert refused.status_code == 404


def test_a_server_that_is_away_is_503(as_ben, production):
    production.url = "http://127.0.0.1:9"
    production.save()
    MessageFactory(environment=production)
    assert as_ben.get(ONE).status_code == 503
    assert ids(as_ben.get(LIST)) == ["me"]


def test_a_conversation_is_forgotten(as_ben, production, experimental):
    for environment in (production, experimental):
        MessageFactory(environment=environment)
    assert as_ben.delete(f"{ONE}?environment=production").status_code == 204
    assert [item["environment"] for item in as_ben.get(LIST).json()] == ["experimental"]
    assert as_ben.delete(f"{ONE}?environment=production").status_code == 404


def test_who_may_only_talk_reads_and_forgets_nothing(ben, production):
    MessageFactory(environment=production)
    take(ben, "conversations.read")
    client = client_of(ben)
    answers = [client.get(LIST), client.get(ONE), client.delete(ONE)]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert {answer.json()["details"]["grant"] for answer in answers} == {"conversations.read"}


def test_projects_are_apart(as_ben, production):
    banking = ProjectFactory(name="banking")
    MessageFactory(environment=EnvironmentFactory(project=banking, name="production"), conversation="of-banking")
    teller = UserFactory(username="teller")
    give(teller, banking, "environments.read", "conversations.read")
    assert ids(as_ben.get(LIST)) == []
    assert as_ben.get("/api/conversations/of-banking").status_code == 404
    assert ids(client_of(teller).get("/api/projects/banking/conversations")) == ["of-banking"]


def test_as_many_queries_for_300_conversations_as_for_3(as_ben, production):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert len(as_ben.get(f"{LIST}?limit=50&environment=production").json()) == min(count, 50)
        return len(captured)

    count = 3
    messages = [Message(project=production.project, environment=production, text="hi") for _ in range(300)]
    for number, message in enumerate(messages):
        message.conversation = f"c{number}"
    Message.objects.bulk_create(messages[:3])
    as_ben.get(LIST)
    few = queries()
    Message.objects.bulk_create(messages[3:])
    count = 300
    assert queries() == few
