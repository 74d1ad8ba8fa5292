"""Sessions of browsers: a new key at sign-in, an end, nothing that whoever reads the database could use."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.actions import api_tokens, sessions
from accounts.actor import API, Actor
from accounts.models import AuditEvent, Session, User
from accounts.models.session import digest
from environments.actions import users
from workers.tasks.sessions import tidy_sessions

PASSWORD = "otters swim in rivers"


@pytest.fixture
def ben(ben) -> User:
    ben.set_password(PASSWORD)
    ben.save()
    return ben


def signed_in(**options) -> Client:
    client = Client(**options)
    answer = client.post("/sign-in/", {"username": "ben", "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return client


def is_signed_in(client: Client) -> bool:
    return client.get("/p/default/").status_code == 200


def cookie(client: Client) -> str:
    return client.cookies["sessionid"].value


def test_what_the_database_has_of_a_session_opens_nothing(ben):
    client = signed_in()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_session")
        (row,) = cursor.fetchall()
    assert cookie(client) not in str(row)
    for stolen in {str(value) for value in row}:
        if stolen:
            thief = Client()
            thief.cookies["sessionid"] = stolen.replace(";", "")[:4000]
            assert not is_signed_in(thief), stolen
    assert is_signed_in(client)


def test_a_session_says_whose_it_is_and_from_where(ben):
    signed_in(REMOTE_ADDR="192.0.2.1", headers={"user-agent": "Firefox " + "x" * 300})
    session = Session.objects.get()
    assert (session.user, session.address, len(session.browser)) == (ben, "192.0.2.1", 200)


def test_a_key_from_before_the_sign_in_is_worth_nothing_after_it(ben):
    planted = Client()
    planted.get("/sign-in/")
    store = planted.session
    store["planted"] = True
    store.save()
    key = store.session_key
    victim = Client()
    victim.cookies["sessionid"] = key
    assert victim.post("/sign-in/", {"username": "ben", "password": PASSWORD}).status_code == 302
    assert cookie(victim) != key
    assert is_signed_in(victim)
    attacker = Client()
    attacker.cookies["sessionid"] = key
    assert not is_signed_in(attacker)
    assert not Session.objects.filter(pk=digest(key)).exists()


def test_a_key_that_was_made_up_is_not_taken(ben):
    victim = Client()
    victim.cookies["sessionid"] = "a" * 32
    victim.post("/sign-in/", {"username": "ben", "password": PASSWORD})
    assert cookie(victim) != "a" * 32
    assert is_signed_in(victim)


def test_it_ends_after_so_many_days_whatever_is_done_in_it(ben, settings, monkeypatch):
    settings.SESSION_DAYS = 2
    client = signed_in()
    end = Session.objects.get().expire_date
    assert abs(end - timezone.now() - timedelta(days=2)) < timedelta(minutes=1)
    assert is_signed_in(client)
    session = client.session
    session["project"] = "other"
    session.save()
    assert Session.objects.get().expire_date == end
    assert int(client.cookies["sessionid"]["max-age"]) <= 2 * 86400
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert not is_signed_in(client)


def test_its_last_use_is_written_once_a_minute(ben):
    client = signed_in()
    client.get("/p/default/")
    before = Session.objects.get().last_seen_at
    client.get("/p/default/")
    assert Session.objects.get().last_seen_at == before
    Session.objects.update(last_seen_at=timezone.now() - timedelta(minutes=2))
    client.get("/p/default/")
    assert timezone.now() - Session.objects.get().last_seen_at < timedelta(minutes=1)


def test_saving_keeps_when_and_where_it_began(ben):
    client = signed_in(REMOTE_ADDR="192.0.2.1")
    before = Session.objects.get()
    session = client.session
    session["theme"] = "dark"
    session.save()
    after = Session.objects.get()
    assert (after.created_at, after.address, after.user_id) == (before.created_at, "192.0.2.1", ben.pk)


def test_beginning_and_end_are_in_the_audit_trail(ben):
    client = signed_in(REMOTE_ADDR="192.0.2.1")
    key = cookie(client)
    client.post("/sign-out/", REMOTE_ADDR="192.0.2.1")
    events = list(AuditEvent.objects.filter(object="user:ben").order_by("pk").values())
    assert [(event["action"], event["actor"], event["address"]) for event in events] == [
        ("session.start", "ben", "192.0.2.1"),
        ("session.end", "ben", "192.0.2.1"),
    ]
    assert key not in str(events)
    assert digest(key) not in str(events)
    assert not Session.objects.filter(user=ben).exists()


def test_a_deactivated_user_is_out_at_once_and_activating_revives_nothing(ben, by_ana):
    client = signed_in()
    _, secret = api_tokens.create(user=ben, name="ci", by=Actor(user=ben, via=API))
    made = Client().post("/api/auth", {"username": "ben", "password": PASSWORD}, content_type="application/json")
    bearers = [secret, made.json()["access_token"]]

    def statuses() -> list[int]:
        by_token = [Client(headers={"authorization": f"Bearer {one}"}).get("/api/v1/me/") for one in bearers]
        return [client.get("/p/default/").status_code, *(answer.status_code for answer in by_token)]

    assert statuses() == [200, 200, 200]
    users.deactivate(user=ben, by=by_ana)
    assert statuses() == [302, 401, 401]
    users.activate(user=ben, by=by_ana)
    assert statuses() == [302, 401, 401]
    assert signed_in()


def test_another_generation_ends_sessions_whatever_became_of_their_rows(ben):
    client = signed_in()
    ben.credential_generation += 1
    ben.save()
    assert not is_signed_in(client)


def test_the_task_removes_what_is_over(ben):
    signed_in()
    over = signed_in()
    Session.objects.filter(pk=digest(cookie(over))).update(expire_date=timezone.now())
    tidy_sessions()
    assert Session.objects.count() == 1
    Session.objects.update(expire_date=timezone.now())
    tidy_sessions()
    assert Session.objects.count() == 1, "it ran a moment ago"


def test_who_ended_a_session_is_told_once(ben, by_ben):
    signed_in()
    found = list(Session.objects.all())
    assert sessions.end(sessions=found, by=by_ben) == 1
    assert sessions.end(sessions=found, by=by_ben) == 0
    assert AuditEvent.objects.filter(action="session.end").count() == 1


def test_rasa_servers_that_poll_touch_no_session(client, production, otter, django_assert_num_queries):
    cookieless = client.get("/api/projects/default/models/tags/production")
    assert "sessionid" not in cookieless.cookies
    assert not Session.objects.exists()
