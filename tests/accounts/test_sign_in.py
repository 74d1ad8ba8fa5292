"""Wrong passwords: the same answer for whoever is named, and a lock for the account at that address alone."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client, RequestFactory

from accounts.actions import lockouts as counts
from accounts.actor import API, PAGE, Actor
from accounts.limits import SIGN_INS
from accounts.models import AuditEvent, User
from accounts.problems import Busy, InvalidFields, MissingGrant, SignInLocked
from environments.actions import lockouts, users
from tests.factories import UserFactory

PASSWORD = "otters swim in rivers"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def ben(ben) -> User:
    ben.set_password(PASSWORD)
    ben.save()
    return ben


def sign_in(password: str = PASSWORD, username: str = "ben", address: str = HERE):
    return Client(REMOTE_ADDR=address).post("/sign-in/", {"username": username, "password": password})


def fail(times: int = 5, username: str = "ben", address: str = HERE) -> None:
    for _ in range(times):
        assert sign_in("wrong", username, address).status_code == 200


def actions_about(told: str) -> list[str]:
    return list(AuditEvent.objects.filter(object=told).order_by("pk").values_list("action", flat=True))


def later(**by) -> None:
    """As if all wrong passwords had been typed that much earlier."""
    for row in AccessAttempt.objects.all():
        row.attempt_time -= timedelta(**by)
        row.save()


def test_case_of_the_name_does_not_matter(ben):
    assert sign_in(username="BEN").status_code == 302


def test_five_wrong_passwords_lock_also_the_right_one(ben):
    fail()
    refused = sign_in()
    assert refused.status_code == 429
    assert 800 < int(refused.headers["Retry-After"]) <= 900
    assert "Try again in 15 min" in refused.content.decode()
    assert 'value="ben"' in refused.content.decode()


def test_a_right_password_in_time_starts_the_count_anew(ben):
    for _ in range(3):
        fail(4)
        assert sign_in().status_code == 302


def test_nobody_is_locked_out_from_elsewhere(ben, ana):
    fail()
    assert sign_in(address=ELSEWHERE).status_code == 302
    assert sign_in("wrong", username="ana").status_code == 200


def test_a_lock_counts_whatever_the_case_and_the_browser(ben):
    for name, agent in [("ben", "a"), ("Ben", "b"), ("BEN", "c"), ("ben", "d"), ("bEn", "e")]:
        browser = Client(REMOTE_ADDR=HERE, headers={"user-agent": agent})
        assert browser.post("/sign-in/", {"username": name, "password": "wrong"}).status_code == 200
    assert sign_in(username="beN").status_code == 429


def test_a_lock_ends_by_itself(ben):
    fail()
    later(minutes=14, seconds=50)
    refused = sign_in()
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) <= 10
    later(seconds=11)
    fail(4)
    assert sign_in().status_code == 302


def test_trying_on_does_not_prolong_a_lock(ben):
    fail()
    later(minutes=10)
    assert sign_in("wrong").status_code == 429
    assert int(sign_in().headers["Retry-After"]) <= 300


def test_one_subscriber_of_ipv6_is_one_address(ben):
    for n in range(5):
        assert sign_in("wrong", address=f"2001:db8:0:1::{n}").status_code == 200
    assert sign_in(address="2001:db8:0:1:ffff::9").status_code == 429
    assert sign_in(address="2001:db8:0:2::9").status_code == 302


def test_the_client_behind_a_trusted_proxy_is_who_is_locked(ben, settings):
    settings.TRUSTED_PROXIES = ["10.0.0.5"]

    def through_proxy(client: str, password: str) -> int:
        browser = Client(REMOTE_ADDR="10.0.0.5", headers={"x-forwarded-for": client})
        return browser.post("/sign-in/", {"username": "ben", "password": password}).status_code

    assert [through_proxy(HERE, "wrong") for _ in range(5)] == [200] * 5
    assert through_proxy(HERE, PASSWORD) == 429
    assert through_proxy(ELSEWHERE, PASSWORD) == 302


def test_an_unknown_name_gets_the_same_answers(ben):
    known = [sign_in("wrong") for _ in range(6)]
    unknown = [sign_in("wrong", username="nobody") for _ in range(6)]
    assert [answer.status_code for answer in known] == [answer.status_code for answer in unknown]
    for one, other in zip(known, unknown, strict=True):
        assert visible(one).replace("ben", "") == visible(other).replace("nobody", "")


def visible(answer) -> str:
    return answer.content.decode().split("<body", 1)[1].split("csrfmiddlewaretoken")[0] + str(
        [line.strip() for line in answer.content.decode().splitlines() if "role=" in line or "username" in line]
    )


class Counting(MD5PasswordHasher):
    hashed = 0

    def encode(self, password, salt):
        Counting.hashed += 1
        return super().encode(password, salt)


@pytest.mark.parametrize("username", ["ben", "nobody", "no such name", "ci", "gone"])
def test_each_try_hashes_once_whoever_is_named(ben, project, by_ana, settings, username):
    users.create(username="ci", project=project, by=by_ana, is_service=True)
    users.deactivate(user=UserFactory(username="gone", password=ben.password), by=by_ana)
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
    Counting.hashed = 0
    sign_in("wrong", username=username)
    assert Counting.hashed == 1


@pytest.mark.parametrize("secret", ["My.Secret.Password", "Pa$$w0rd of ana", "passwörd"])
def test_what_is_typed_for_a_name_is_stored_nowhere(project, secret):
    fail(username=secret)
    of_address, row = AccessAttempt.objects.order_by("username").values()
    assert secret.lower() not in str([of_address, row]).lower()
    assert (of_address["username"], row["username"][0]) == ("*", "~")
    assert {each[member] for each in (of_address, row) for member in ("post_data", "get_data", "user_agent")} == {""}
    assert secret not in str(list(AuditEvent.objects.values()))
    assert actions_about("user:?") == ["session.refused"] * 5 + ["user.locked"]


def test_each_refusal_is_audited_and_a_lock_once(ben):
    fail()
    for _ in range(3):
        sign_in()
    assert actions_about("user:ben") == ["session.refused"] * 5 + ["user.locked"]
    event = AuditEvent.objects.filter(action="user.locked").get()
    assert (event.via, event.address, event.after) == ("page", HERE, {"minutes": 15})


def invent(names: int) -> None:
    for number in range(names):
        counts.failed(f"invented-{number}", HERE, API)


def test_inventing_names_locks_the_address_for_all_of_them(ben):
    invent(49)
    assert sign_in("wrong", username="one-more").status_code == 200
    events = AuditEvent.objects.count()
    for name in ("ben", "invented-1", "another"):
        refused = sign_in(username=name)
        assert refused.status_code == 429
        assert 800 < int(refused.headers["Retry-After"]) <= 900
    assert AuditEvent.objects.count() == events
    assert sign_in(address=ELSEWHERE).status_code == 302
    (event,) = AuditEvent.objects.filter(action="address.locked")
    assert (event.object, event.after) == (f"address:{HERE}", {"minutes": 15})


def test_an_address_is_locked_for_as_long_as_a_name(ben):
    invent(49)
    later(minutes=14)
    invent(1)
    later(minutes=14)
    assert sign_in().status_code == 429
    later(minutes=2)
    assert sign_in().status_code == 302


def test_who_mistypes_now_and_then_locks_no_address(ben):
    for _ in range(6):
        invent(20)
        later(minutes=8)
    assert sign_in().status_code == 302


def test_the_right_password_for_one_name_lets_nobody_invent_more(ben):
    invent(49)
    assert sign_in().status_code == 302
    invent(1)
    assert sign_in().status_code == 429


def test_an_administrator_sees_a_locked_address_and_takes_it_away(ben, by_ana):
    invent(50)
    (locked,) = lockouts.active(by=by_ana)
    assert (locked.username, locked.every_name, locked.address) == (None, True, HERE)
    assert lockouts.clear(address=HERE, by=by_ana) == 51
    assert sign_in().status_code == 302


def test_locks_are_listed_so_many_and_no_more(ben, by_ana):
    for number in range(3):
        fail(username="ben", address=f"192.0.2.{number + 10}")
    fail(username="nobody")
    assert [one.username for one in lockouts.active(by=by_ana, limit=2)] == [None, "ben"]
    assert len(lockouts.active(by=by_ana, user=ben)) == 3


@pytest.mark.parametrize("path", ["/api/auth", "/api/v1/any/"])
def test_every_door_counts(ben, path):
    request = RequestFactory().post(path, REMOTE_ADDR=HERE)
    for _ in range(5):
        assert authenticate(request=request, username="ben", password="wrong") is None
    with pytest.raises(SignInLocked):
        authenticate(request=request, username="ben", password=PASSWORD)
    assert sign_in().status_code == 429


@pytest.mark.parametrize("name", ["\0", "a\0", "\ud800", "x" * 10_000, "\u017f", ""])
@pytest.mark.parametrize("password", ["\0", "\ud800", "x" * 5000, ""])
def test_strange_text_is_a_wrong_password(project, name, password):
    request = RequestFactory().post("/api/auth", REMOTE_ADDR="fe80::1%eth0")
    assert authenticate(request=request, username=name, password=password) is None


def test_a_wrong_old_password_counts(ben):
    by = Actor(user=ben, via=PAGE, address=HERE)
    for _ in range(5):
        with pytest.raises(InvalidFields):
            users.change_password(user=ben, old="wrong", new="herons stand in reeds", by=by)
    with pytest.raises(SignInLocked):
        users.change_password(user=ben, old=PASSWORD, new="herons stand in reeds", by=by)
    assert sign_in().status_code == 429
    assert actions_about("user:ben") == ["user.password_refused"] * 5 + ["user.locked"]


def test_so_many_hash_at_a_time_and_no_more(ben, settings):
    settings.MAX_SIGN_INS = 1
    with SIGN_INS.slot("busy"):
        refused = sign_in()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
        with pytest.raises(Busy):
            users.change_password(user=ben, old=PASSWORD, new="herons", by=Actor(user=ben, via=PAGE))
    assert sign_in().status_code == 302
    assert not AccessAttempt.objects.exists()


# Seen and taken away by administrators


def test_an_administrator_sees_locks_and_takes_them_away(ben, by_ana):
    fail()
    fail(username="nobody")
    fail(4, username="ana")
    assert [(one.username, one.address, one.failures) for one in lockouts.active(by=by_ana)] == [
        (None, HERE, 5),
        ("ben", HERE, 5),
    ]
    assert lockouts.clear(user=ben, by=by_ana) == 1
    assert sign_in().status_code == 302
    assert lockouts.clear(address=HERE, by=by_ana) == 3
    assert lockouts.active(by=by_ana) == []
    assert AuditEvent.objects.filter(action="user.unlock", actor="ana").count() == 2


def test_a_lock_at_one_address_is_taken_away_alone(ben, by_ana):
    fail(address=HERE)
    fail(address="2001:db8:0:1::5")
    assert lockouts.clear(user=ben, address="2001:db8:0:1::9", by=by_ana) == 1
    assert [one.address for one in lockouts.active(by=by_ana)] == [HERE]
    assert lockouts.clear(by=by_ana) == 0


def test_locks_are_for_who_manages_users(ben, by_ben):
    for act in (lockouts.active, lockouts.clear):
        with pytest.raises(MissingGrant):
            act(by=by_ben)


def test_counts_that_are_over_are_removed(ben):
    fail(3)
    counts.tidy()
    assert AccessAttempt.objects.count() == 2
    later(minutes=16)
    counts.tidy()
    assert not AccessAttempt.objects.exists()
