"""What bots made of what was said is read a while later, from servers that may be away."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.clients.rasa import RasaClient
from environments.models import Message
from tests.factories import MessageFactory
from workers.tasks import conversations
from workers.tasks.conversations import read_due, read_if_due


@pytest.fixture
def bot(production, fake_rasa):
    production.url = fake_rasa.url
    production.save()
    fake_rasa.load(model_id="a" * 32)
    return fake_rasa


def unread(environment, text="hi", conversation="me", due=-1.0, **more) -> Message:
    read_at = timezone.now() + timedelta(seconds=due)
    empty = {"intent": "", "confidence": None, "actions": [], "understood_at": None}
    return MessageFactory(
        environment=environment, text=text, conversation=conversation, read_at=read_at, **{**empty, **more}
    )


def trackers(bot) -> list[str]:
    return [path for _, path, _, _ in bot.requests if path.endswith("/tracker")]


def say(bot, *texts, sender="me") -> None:

    for text in texts:
        RasaClient(bot.url).send_message(sender, text)


def test_a_conversation_that_is_quiet_is_read_once_with_all_its_messages(production, bot):
    say(bot, "hi", "bye")
    unread(production, "hi")
    unread(production, "bye", due=30)
    read_due()
    assert set(Message.objects.values_list("intent", "read_at")) == {("greet", None)}
    assert trackers(bot) == ["/conversations/me/tracker"]
    read_due()
    assert len(trackers(bot)) == 1


def test_one_that_goes_on_is_left_alone(production, bot):
    unread(production, due=30)
    read_due()
    assert trackers(bot) == []


def test_the_clock_of_the_step_is_its_row(production, bot):
    unread(production)
    read_if_due()
    unread(production, conversation="other")
    read_if_due()
    assert len(trackers(bot)) == 1


def test_a_server_that_is_away_is_asked_once_and_keeps_no_other_from_being_read(production, experimental, bot):
    experimental.url = "http://127.0.0.1:9"
    experimental.save()
    for number in range(3):
        unread(experimental, conversation=f"away-{number}", due=-10)
    say(bot, "hi")
    unread(production)
    read_due()
    away = Message.objects.filter(environment=experimental)
    assert {message.tries for message in away} == {1}
    assert all(message.read_at > timezone.now() for message in away)
    assert Message.objects.get(environment=production).intent == "greet"


@pytest.mark.parametrize("lacking", ["url", "secret"])
def test_an_environment_that_cannot_be_asked_waits(production, lacking):
    if lacking == "url":
        production.url = ""
    else:
        production.sealed_rasa_token = "not sealed"
    production.save()
    unread(production)
    read_due()
    assert Message.objects.get().tries == 1


def test_a_step_ends_in_time_and_the_next_one_goes_on(production, bot, monkeypatch):
    for number in range(3):
        unread(production, conversation=f"c{number}")
    monkeypatch.setattr(conversations, "SECONDS", -1.0)
    read_due()
    assert Message.objects.filter(read_at__isnull=False).count() == 3
    monkeypatch.undo()
    read_due()
    assert not Message.objects.filter(read_at__isnull=False).exists()
