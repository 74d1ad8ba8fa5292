"""Share a bot by a link: made, changed, ended by clicks."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from environments.actions import guest_links
from environments.models import ChatToken
from tests.environments.pages.conftest import signed_in
from tests.factories import give

SHARE = "/p/default/talk/share/"
FORM = {"environment": "production", "bot_name": "Otto", "description": "Cards.", "lasts": "7", "do": "new"}


def days_left() -> float:
    return (ChatToken.objects.get().expires_at - timezone.now()) / timedelta(days=1)


def test_a_link_is_made_and_opens_the_chat(ana_looks, production):
    assert "There is no open link" in ana_looks.get(SHARE).text
    html = ana_looks.post(SHARE, FORM).text
    link = ChatToken.objects.get()
    address = f"/guest/conversations/production/{link.token}"
    assert f"http://testserver{address}" in html
    assert 6.9 < days_left() < 7.1
    assert "Otto" in Client().get(address).text


def test_text_and_expiry_are_changed_and_the_link_stays(ana_looks, production):
    ana_looks.post(SHARE, FORM)
    token = ChatToken.objects.get().token
    ana_looks.post(SHARE, FORM | {"do": "change", "bot_name": "Ada", "lasts": ""})
    link = ChatToken.objects.get()
    assert (link.token, link.bot_name, link.expires_at) == (token, "Ada", None)


def test_a_new_link_ends_the_one_before(ana_looks, production):
    ana_looks.post(SHARE, FORM)
    before = ChatToken.objects.get().token
    ana_looks.post(SHARE, FORM)
    assert Client().get(f"/guest/conversations/production/{before}").status_code == 404


def test_a_link_is_ended(ana_looks, production):
    ana_looks.post(SHARE, FORM)
    token = ChatToken.objects.get().token
    html = ana_looks.post(SHARE, {"do": "end"}).text
    assert "There is no open link" in html
    assert token not in html
    assert Client().get(f"/guest/conversations/production/{token}").status_code == 404


@pytest.mark.parametrize("lasts", ["0", "forever", "-1", "10000000000"])
def test_an_odd_expiry_is_a_week(ana_looks, production, lasts):
    ana_looks.post(SHARE, FORM | {"lasts": lasts})
    assert 6.9 < days_left() < 7.1


def test_who_may_talk_sees_the_link_and_changes_nothing(dora, project, production, by_ana):
    give(dora, project, "conversations.write")
    link = guest_links.put(project=project, environment=production, by=by_ana)
    browser = signed_in(dora)
    html = browser.get(SHARE).text
    assert link.token in html
    assert "settings.write" in html
    assert browser.post(SHARE, FORM).status_code == 403
    assert ChatToken.objects.get().token == link.token


def test_a_link_whose_secret_cannot_be_read_is_said_so(ana_looks, production):
    ana_looks.post(SHARE, FORM)
    ChatToken.objects.update(sealed_token="not sealed")
    assert "its secret cannot be read" in ana_looks.get(SHARE).text
