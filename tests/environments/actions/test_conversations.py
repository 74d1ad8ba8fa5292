"""What is said to bots is kept, completed and forgotten."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.problems import MissingGrant, NotFound
from environments.actions import conversations
from environments.models import MarkedExample, Message
from environments.states import Door
from tests.factories import MessageFactory, TrainedModelFactory, take


def record(environment, text="hi", conversation="me", model=None, model_id="") -> Message | None:
    return conversations.record(
        environment=environment, conversation=conversation, text=text, model=model, model_id=model_id, door=Door.API
    )


def heard(text, intent, *, model_id="", confidence=0.8):
    parsed = {"intent": {"name": intent, "confidence": confidence}}
    user = {"event": "user", "text": text, "parse_data": parsed, "metadata": {"model_id": model_id}}
    return [user, {"event": "action", "name": f"utter_{intent}", "policy": "RulePolicy", "confidence": 0.5}]


def test_a_message_is_one_insert(production, otter, django_assert_num_queries):
    with django_assert_num_queries(3) as queries:
        record(production, model=otter)
    assert [query["sql"].split(" ")[0] for query in queries.captured_queries] == ["SAVEPOINT", "INSERT", "RELEASE"]


@pytest.mark.parametrize("text", ["\0 and \ud800", "x" * 100_000, "שלום 👋🏽", ""])
def test_any_text_can_be_kept(production, text):
    kept = record(production, text)
    kept.refresh_from_db()
    assert kept.text == text[:4000].replace("\0", "\ufffd").replace("\ud800", "?")


def test_a_write_that_fails_is_not_heard_of(production, caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE environments_message RENAME TO away")
    assert record(production, "a secret") is None
    assert "could not be kept" in caplog.text
    assert "a secret" not in caplog.text


def test_nothing_is_kept_where_that_is_switched_off(production, settings):
    settings.RECORD_CONVERSATIONS = False
    assert record(production) is None
    assert not Message.objects.exists()


def test_a_conversation_of_too_long_a_name_is_not_kept(production):
    assert record(production, conversation="x" * 301) is None


def test_messages_are_completed_by_the_tracker(production, otter, heron):
    rows = [record(production, text, model=otter, model_id=otter.model_id) for text in ("hi", "bye", "lost")]
    events = [*heard("hi", "greet", model_id=otter.model_id), *heard("bye", "goodbye", model_id=heron.model_id)]
    assert conversations.understood(messages=rows, tracker={"events": events}) == 2
    first, second, third = Message.objects.order_by("pk")
    assert (first.intent, first.confidence, first.actions, first.action_confidence) == (
        "greet",
        0.8,
        ["utter_greet"],
        0.5,
    )
    assert (first.model, second.model) == (otter, heron)
    assert (third.intent, third.understood_at, third.read_at) == ("", None, None)


def test_a_server_that_does_not_answer_is_asked_ever_later_and_then_no_more(production):
    message, now, waits = record(production), timezone.now(), []
    while message.read_at is not None:
        conversations.put_off(messages=[message], now=now)
        waits.append(message.read_at and (message.read_at - now).total_seconds())
    assert waits[:3] == [120, 240, 480]
    assert len(waits) == conversations.MOST_TRIES


def test_a_conversation_is_forgotten_with_what_was_marked_in_it(production, experimental, by_ben):
    gone, stays = MessageFactory(environment=production), MessageFactory(environment=experimental)
    for message in (gone, stays):
        mark = {"project": message.project, "intent": "greet", "digest": f"{message.pk}", "message": message}
        MarkedExample.objects.create(**mark, text="hi", by_name="ben")
    assert conversations.delete(environment=production, conversation="me", by=by_ben) == 1
    assert list(Message.objects.all()) == [stays]
    assert [mark.message for mark in MarkedExample.objects.all()] == [stays]


def test_the_audit_trail_does_not_keep_whose_conversation_was_forgotten(production, by_ben):
    MessageFactory(environment=production, conversation="ada@example.org", text="hi there")
    conversations.delete(environment=production, conversation="ada@example.org", by=by_ben)
    event = AuditEvent.objects.get(action="conversation.delete")
    assert (event.object, event.before) == ("environment:production", {"messages": 1})


def test_what_is_not_there_cannot_be_forgotten(production, by_ben):
    with pytest.raises(NotFound):
        conversations.delete(environment=production, conversation="nobody", by=by_ben)


@pytest.mark.parametrize("grant", ["conversations.read", "conversations.write"])
def test_forgetting_needs_both_grants(production, ben, by_ben, grant):
    MessageFactory(environment=production)
    take(ben, grant)
    with pytest.raises(MissingGrant):
        conversations.delete(environment=production, conversation="me", by=by_ben.anew())
    assert Message.objects.exists()


def test_old_messages_are_forgotten_and_marks_stay(production, by_ana, monkeypatch):
    monkeypatch.setattr(conversations, "BATCH", 2)
    now = timezone.now()
    old = [MessageFactory(environment=production, at=now - timedelta(days=31 + n)) for n in range(5)]
    new = MessageFactory(environment=production, at=now - timedelta(days=29))
    MarkedExample.objects.create(project=production.project, text="hi", intent="greet", digest="1", message=old[0])
    before = now - timedelta(days=30)
    assert conversations.forget(project=production.project, before=before, by=by_ana) == 5
    assert list(Message.objects.all()) == [new]
    assert MarkedExample.objects.get().message is None
    assert AuditEvent.objects.get(action="conversation.forget").after["messages"] == 5
    assert conversations.forget(project=production.project, before=before, by=by_ana) == 0


def test_messages_outlive_their_model(production):
    model = TrainedModelFactory(project=production.project)
    message = record(production, model=model)
    model.delete()
    message.refresh_from_db()
    assert message.model is None
