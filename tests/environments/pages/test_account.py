"""One's own account: each sees and changes their own, and nobody else's."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.actions import api_tokens
from accounts.actor import PAGE, Actor
from accounts.models import ApiToken, AuditEvent, Session, User
from environments.actions import users
from environments.pages.account import browser_words
from tests.factories import give, take

OLD, NEW = "otters swim in rivers", "herons stand in reeds"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36"


@pytest.fixture
def ben(ben) -> User:
    ben.set_password(OLD)
    ben.email = "ben@example.com"
    ben.save()
    return ben


def signed_in(user: str = "ben", password: str = OLD, **options) -> Client:
    client = Client(**options)
    assert client.post("/sign-in/", {"username": user, "password": password}).status_code == 302
    return client


@pytest.fixture
def browser(ben) -> Client:
    return signed_in(REMOTE_ADDR="192.0.2.1", headers={"user-agent": FIREFOX})


def text_of(answer) -> str:
    return " ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", answer.content.decode(), flags=re.S).split())


def test_it_says_who_one_is_and_what_one_may(browser, project):
    text = text_of(browser.get("/account/"))
    assert "ben@example.com" in text
    assert "Firefox on Linux this browser 192.0.2.1" in text
    assert "default role-" in text
    assert "promote to experimental" in text


def test_it_is_for_who_is_signed_in(client, project):
    assert client.get("/account/").url == "/sign-in/?next=/account/"
    assert client.post("/account/tokens/", {"name": "x"}).url.startswith("/sign-in/")


def test_it_is_there_for_who_has_no_project(cy, client):
    client.force_login(cy)
    page = client.get("/account/")
    assert page.status_code == 200
    assert "You have no role yet" in text_of(page)
    assert client.post("/account/tokens/", {"name": "ci", "days": ""}).status_code == 403


def test_every_page_leads_to_it(browser):
    assert 'href="/account/"' in browser.get("/p/default/").content.decode()


# The name


def test_one_renames_oneself(browser, ben):
    assert browser.post("/account/name/", {"username": "benedict"}).url == "/account/"
    assert browser.get("/account/").status_code == 200
    assert signed_in("benedict")


@pytest.mark.parametrize("name", ["", "ana", "a b", "bеn"])  # noqa: RUF001 - a look-alike
def test_a_name_that_cannot_be_is_told_beside_the_field(browser, ben, ana, name):
    refused = browser.post("/account/name/", {"username": name})
    assert refused.status_code in (400, 409, 422)
    assert 'id="name-error"' in refused.content.decode()
    ben.refresh_from_db()
    assert ben.username == "ben"


# The password


def change(browser: Client, old: str = OLD, new: str = NEW, again: str = NEW):
    return browser.post("/account/password/", {"old": old, "new": new, "again": again})


def test_another_password_signs_out_every_other_browser_and_no_other_person(browser, ben, ana):
    other, anas = signed_in(), Client()
    anas.force_login(ana)
    before = browser.cookies["sessionid"].value
    assert change(browser).url == "/account/"
    assert browser.cookies["sessionid"].value != before
    assert browser.get("/p/default/").status_code == 200
    assert "Firefox on Linux this browser 192.0.2.1" in text_of(browser.get("/account/"))
    assert other.get("/p/default/").status_code == 302
    assert anas.get("/p/default/").status_code == 200
    assert signed_in(password=NEW)
    thief = Client()
    thief.cookies["sessionid"] = before
    assert thief.get("/p/default/").status_code == 302


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"old": "wrong"}, "not your present password"),
        ({"again": OLD}, "not the same"),
        ({"new": "short", "again": "short"}, "too short"),
    ],
)
def test_what_is_wrong_is_told_beside_the_field(browser, ben, sent, told):
    refused = change(browser, **sent)
    assert refused.status_code == 400
    assert told in text_of(refused)
    assert browser.get("/account/").status_code == 200
    assert signed_in()


def test_guessing_the_present_password_locks(browser, ben):
    for _ in range(5):
        assert change(browser, old="wrong").status_code == 400
    locked = change(browser)
    assert locked.status_code == 429
    assert int(locked.headers["Retry-After"]) > 800


# Browsers


def test_one_ends_another_browser_or_all_of_them(browser, ben):
    others = [signed_in(headers={"user-agent": CHROME}) for _ in range(3)]
    assert text_of(browser.get("/account/")).count("Chrome on Android") == 3
    first = Session.objects.filter(browser=CHROME).order_by("created_at").first()
    assert browser.post("/account/sessions/", {"session": first.pk}).url == "/account/"
    assert [other.get("/p/default/").status_code for other in others] == [302, 200, 200]
    browser.post("/account/sessions/")
    assert [other.get("/p/default/").status_code for other in others] == [302, 302, 302]
    assert browser.get("/p/default/").status_code == 200
    assert AuditEvent.objects.filter(action="session.end", actor="ben").count() == 3


def test_nobody_ends_the_session_of_another(browser, ana):
    anas = Client()
    anas.force_login(ana)
    session = Session.objects.get(user=ana)
    browser.post("/account/sessions/", {"session": session.pk})
    browser.post("/account/sessions/")
    assert anas.get("/p/default/").status_code == 200


def test_the_page_shows_no_key_that_works(browser):
    browser.post("/account/sessions/")
    assert browser.cookies["sessionid"].value not in browser.get("/account/").content.decode()


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/18.5 Safari/605", "Safari on macOS"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "A browser without a name"),
    ],
)
def test_browsers_are_named_as_people_call_them(agent, words):
    assert browser_words(agent) == words


# Tokens


def test_a_token_is_shown_once_and_works(browser, ben):
    made = browser.post("/account/tokens/", {"name": "nightly", "days": "30", "grant": ["models.read"]})
    secret = re.search(r"cpt_[\w-]{43}", made.content.decode()).group()
    assert "It does only: models.read." in text_of(made)
    assert "$CONTROLPLANE_TOKEN" in text_of(made)
    assert "curl -X POST http://testserver/api/v1/tokens/" in text_of(made)
    token = ApiToken.objects.get()
    assert (token.user, token.grants) == (ben, ["models.read"])
    assert timedelta(days=29) < token.expires_at - timezone.now() <= timedelta(days=30)
    page = browser.get("/account/").content.decode()
    assert "nightly" in page
    assert secret not in page
    me = Client(headers={"authorization": f"Bearer {secret}"})
    assert [one["grants"] for one in me.get("/api/v1/me/").json()["projects"]] == [["models.read"]]
    assert browser.post(f"/account/tokens/{token.pk}/revoke/").url == "/account/"
    assert me.get("/api/v1/me/").status_code == 401


def test_nobody_gives_a_token_more_than_they_hold(browser, ben, project, production):
    for grant in ("users.write", "environments.production.write"):
        assert browser.post("/account/tokens/", {"name": "x", "days": "", "grant": [grant]}).status_code == 403
    take(ben, "tokens.write")
    assert browser.post("/account/tokens/", {"name": "x", "days": ""}).status_code == 403
    assert "This needs the grant tokens.write" in browser.get("/account/").content.decode()
    assert not ApiToken.objects.exists()


def test_nobody_revokes_the_token_of_another(browser, ana):
    token, _ = api_tokens.create(user=ana, name="anas", by=Actor(user=ana, via=PAGE))
    assert browser.post(f"/account/tokens/{token.pk}/revoke/").status_code == 404
    assert "anas" not in text_of(browser.get("/account/"))


def test_the_page_keeps_a_constant_number_of_queries(browser, ben, project, django_assert_max_num_queries):
    for number in range(20):
        api_tokens.create(user=ben, name=f"t{number}", by=Actor(user=ben, via=PAGE))
        give(ben, project, "models.read")
        signed_in()
    with django_assert_max_num_queries(30):
        browser.get("/account/")


@pytest.mark.parametrize("path", ["name/", "password/", "sessions/", "tokens/", "tokens/1/revoke/"])
def test_changes_need_the_form_of_the_page(ben, path):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ben)
    assert browser.post(f"/account/{path}", {"username": "eve"}).status_code == 403
    assert browser.get(f"/account/{path}").status_code == 405


def test_the_way_in_does_not_outlive_the_account(browser, ben, by_ana):
    users.deactivate(user=ben, by=by_ana)
    assert browser.get("/account/").status_code == 302
