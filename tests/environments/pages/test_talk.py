"""Talk to a bot through a page."""

import pytest

from environments.actions import promotions
from environments.pages.talk import shown
from tests.environments.pages.conftest import signed_in

TALK = "/p/default/talk/"


@pytest.fixture
def bot(production, stored_model, by_ana, fake_rasa):
    """A server of production with a model loaded."""
    model = stored_model("brisk-otter")
    promotions.promote(environment=production, model=model, by=by_ana)
    production.url = fake_rasa.url
    production.save()
    fake_rasa.model_id = model.model_id
    return fake_rasa


def test_a_message_is_answered_and_stays_on_the_page(ana_looks, bot):
    answer = ana_looks.post(TALK, {"environment": "production", "message": "hi there"})
    assert answer.url == f"{TALK}?environment=production"
    html = ana_looks.get(answer.url).content.decode()
    assert html.index("hi there") < html.index('class="said bot"')


def test_htmx_gets_the_conversation_alone(ana_looks, bot):
    answer = ana_looks.post(TALK, {"environment": "production", "message": "hi"}, headers={"HX-Request": "true"})
    assert b"<html" not in answer.content
    assert b'class="said bot"' in answer.content


def test_a_new_conversation_is_empty(ana_looks, bot):
    ana_looks.post(TALK, {"environment": "production", "message": "hi there"})
    ana_looks.post(f"{TALK}new/", {"environment": "production"})
    assert b"hi there" not in ana_looks.get(TALK).content


def test_a_server_that_is_away_is_told_and_the_message_kept(ana_looks, production):
    production.url = "http://127.0.0.1:9"
    production.save()
    answer = ana_looks.post(TALK, {"environment": "production", "message": "hi there"})
    assert answer.status_code == 503
    assert b"production cannot answer" in answer.content
    assert b'value="hi there"' in answer.content


def test_without_the_grant_nobody_talks(ben, production):
    ben.userobjectpermission_set.filter(permission__codename="conversations.write").delete()
    browser = signed_in(ben)
    assert browser.get(TALK).status_code == 403
    assert browser.post(TALK, {"message": "hi"}).status_code == 403
    assert browser.post(f"{TALK}new/", {"environment": "production"}).status_code == 403


def test_an_outsider_finds_nobody_to_talk_to(cy_looks, production):
    assert cy_looks.get(TALK).status_code == 404
    assert cy_looks.post(f"{TALK}new/", {"environment": "production"}).status_code == 404


def test_without_an_environment_there_is_nobody_to_talk_to(ana_looks, project):
    assert ana_looks.get(TALK).status_code == 404


@pytest.mark.parametrize("answer", [{}, {"text": None, "buttons": "odd"}, {"buttons": [3, {"title": "Yes"}]}])
def test_odd_answers_break_no_page(answer):
    assert shown(answer, None)["who"] == "bot"
