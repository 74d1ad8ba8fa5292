"""The page behind a guest link: no sign-in, no script, a conversation of its own in each browser."""

import re

import pytest
from django.test import Client

from environments.actions import guest_links
from tests.factories import ProjectFactory


@pytest.fixture
def link(production, by_ana, fake_rasa):
    production.url = fake_rasa.url
    production.save()
    fake_rasa.load(model_id="a" * 32)
    return guest_links.put(
        project=production.project, environment=production, by=by_ana, bot_name="Otto", description="Knows <cards>."
    )


@pytest.fixture
def address(link):
    return f"/guest/conversations/production/{link.token}"


def senders(bot) -> list[str]:
    return [re.search(rb'"sender":"([^"]+)"', body)[1].decode() for *_, body in bot.requests if b"sender" in body]


def test_a_guest_reads_whom_they_talk_to_and_talks(client, address):
    page = client.get(address)
    assert (page.status_code, "Otto" in page.text, "Knows &lt;cards&gt;." in page.text) == (200, True, True)
    assert "/p/default" not in page.text
    answer = client.post(address, {"message": "hi there"})
    assert (answer.status_code, answer.url) == (302, "?")
    html = client.get(address).text
    assert html.index("hi there") < html.index('class="said bot"')


def test_htmx_gets_the_conversation_alone(client, address):
    answer = client.post(address, {"message": "hi there"}, headers={"HX-Request": "true"})
    assert (answer.status_code, "<html" in answer.text, "hi there" in answer.text) == (200, False, True)
    assert "hi there" in client.get(address).text


def test_what_is_for_other_programs_is_nothing_to_a_guest(client, address, fake_rasa):
    fake_rasa.answers = [{"text": "Hello"}, {"custom": {"kind": "handover"}}]
    client.post(address, {"message": "hi there"})
    assert client.get(address).text.count('class="said bot"') == 1
    fake_rasa.answers = fake_rasa.answers[1:]
    client.post(address, {"message": "and now?"})
    assert "The bot said nothing." in client.get(address).text


def test_each_browser_has_a_conversation_of_its_own(address, fake_rasa):
    ana, ben = Client(), Client()
    for browser in (ana, ben, ana):
        browser.post(address, {"message": "hi"})
    first, other, again = senders(fake_rasa)
    assert first == again != other


def test_a_guest_starts_again(client, address, fake_rasa):
    client.post(address, {"message": "hi there"})
    client.post(address, {"again": "yes"})
    assert "hi there" not in client.get(address).text
    client.post(address, {"message": "hi"})
    first, second = senders(fake_rasa)
    assert first != second


def test_the_cookie_is_of_this_link_alone_and_not_for_scripts(client, address):
    client.post(address, {"message": "hi"})
    cookie = client.cookies["guest"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (address, True, "Lax")


def test_a_changed_cookie_begins_a_new_conversation(client, address):
    client.post(address, {"message": "hi there"})
    client.cookies["guest"] = client.cookies["guest"].value[:-2] + "xx"
    assert "hi there" not in client.get(address).text


def test_a_long_conversation_forgets_its_beginning(client, address):
    for number in range(30):
        words = " ".join(f"{number * 1000 + word:x}" for word in range(60))
        client.post(address, {"message": f"word-{number} {words}"})
    html = client.get(address).text
    assert ("word-29 " in html, "word-0 " in html) == (True, False)
    assert len(client.cookies["guest"].OutputString()) < 4096


def test_a_bot_that_is_away_is_told_without_details(client, address, link):
    link.environment.url = "http://127.0.0.1:9"
    link.environment.save()
    answer = client.post(address, {"message": "hi there"})
    assert (answer.status_code, 'value="hi there"' in answer.text) == (503, True)
    assert "cannot answer now" in answer.text
    assert "127.0.0.1" not in answer.text


@pytest.mark.parametrize("where", ["experimental/{token}", "production/{token}x", "production/x", "nowhere/{token}"])
def test_any_other_link_leads_nowhere(client, address, link, experimental, where):
    answer = client.get("/guest/conversations/" + where.format(token=link.token))
    assert (answer.status_code, "Ask who gave it to you" in answer.text) == (404, True)


def test_a_replaced_or_expired_link_leads_nowhere(client, address, link, by_ana, django_now):
    guest_links.put(
        project=link.project, environment=link.environment, by=by_ana, token=link.token, expires_at=django_now
    )
    assert client.get(address).status_code == 404
    assert client.post(address, {"message": "hi"}).status_code == 404
    replaced = guest_links.put(project=link.project, environment=link.environment, by=by_ana, expires_at=None)
    assert client.get(address).status_code == 404
    assert client.get(f"/guest/conversations/production/{replaced.token}").status_code == 200


def test_a_link_of_another_project_has_its_own_environment(client, address, by_ana):
    other = ProjectFactory(name="other")
    assert not hasattr(other, "chat_token")
    assert client.get(address).status_code == 200


def test_forms_of_other_sites_are_refused(address):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(address, {"message": "hi"}).status_code == 403
