"""Talk to a bot through a page."""

import pytest

from environments.actions import promotions
from environments.models import Message
from tests.environments.pages.conftest import signed_in
from tests.factories import take
from tests.fake_rasa import FakeRasa

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
    assert answer.headers["HX-Trigger-After-Settle"] == "said"


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
    take(ben, "conversations.write")
    browser = signed_in(ben)
    assert browser.get(TALK).status_code == 403
    assert browser.post(TALK, {"message": "hi"}).status_code == 403
    assert browser.post(f"{TALK}new/", {"environment": "production"}).status_code == 403


def test_an_outsider_finds_nobody_to_talk_to(cy_looks, production):
    assert cy_looks.get(TALK).status_code == 404
    assert cy_looks.post(f"{TALK}new/", {"environment": "production"}).status_code == 404


def test_without_an_environment_there_is_nobody_to_talk_to(ana_looks, project):
    assert ana_looks.get(TALK).status_code == 404


def both(production, experimental, fake_rasa, model):
    """Production answers, and experimental from the same server."""
    for environment in (production, experimental):
        environment.url = fake_rasa.url
        environment.save()
    fake_rasa.load(model_id=model.model_id)


BESIDE = {"environment": "production", "beside": "experimental", "message": "hi there"}


def test_what_the_bot_understood_stands_beside_the_message(ana_looks, bot):
    bot.understand = lambda text: ("order", 0.43, [{"entity": "city", "value": "Paris"}])
    ana_looks.post(TALK, {"environment": "production", "message": "to Paris"})
    html = ana_looks.get(TALK).text
    for told in ("<code>order</code>", ".430", "<code>city</code>", "utter_order", "RulePolicy"):
        assert told in html
    message = Message.objects.get()
    assert (message.intent, message.confidence, message.door) == ("order", 0.43, "page")


def test_without_a_tracker_the_answer_is_there_all_the_same(ana_looks, bot):
    bot.no_tracker = True
    ana_looks.post(TALK, {"environment": "production", "message": "hi"})
    html = ana_looks.get(TALK).text
    assert "Hello" in html
    assert "What it understood could not be read" in html
    assert Message.objects.get().read_at is not None


def test_two_bots_get_the_same_words_and_agree(ana_looks, production, experimental, fake_rasa, otter):
    both(production, experimental, fake_rasa, otter)
    answer = ana_looks.post(TALK, BESIDE)
    assert answer.url == f"{TALK}?environment=production&beside=experimental"
    html = ana_looks.get(answer.url).text
    assert html.count('class="said user"') == 1
    assert html.count('class="said bot"') == 2
    assert "The same" in html
    assert {message.environment.name for message in Message.objects.all()} == {"production", "experimental"}


def test_in_what_two_bots_differ_is_named(ana_looks, production, experimental, fake_rasa, otter):
    both(production, experimental, fake_rasa, otter)
    with FakeRasa(answers=[{"text": "Ahoy"}], understand=lambda text: ("sail", 0.9, [])) as other:
        other.load(model_id="b" * 32)
        experimental.url = other.url
        experimental.save()
        ana_looks.post(TALK, BESIDE)
    html = ana_looks.get(TALK, {"environment": "production", "beside": "experimental"}).text
    assert "Differs in intent, actions, answer" in html


def test_one_bot_that_is_away_keeps_not_the_other_from_answering(ana_looks, production, experimental, fake_rasa, otter):
    both(production, experimental, fake_rasa, otter)
    experimental.url = "http://127.0.0.1:9"
    experimental.save()
    ana_looks.post(TALK, BESIDE)
    html = ana_looks.get(TALK, {"environment": "production", "beside": "experimental"}).text
    assert "Hello" in html
    assert "experimental cannot answer" in html


def test_two_bots_that_are_away_are_told_and_the_message_kept(ana_looks, production, experimental):
    for environment in (production, experimental):
        environment.url = "http://127.0.0.1:9"
        environment.save()
    answer = ana_looks.post(TALK, BESIDE)
    assert answer.status_code == 503
    assert 'value="hi there"' in answer.text
    assert "cannot answer" not in ana_looks.get(TALK).text


def test_two_bots_are_asked_at_the_same_time(ana_looks, production, experimental, fake_rasa, otter):
    both(production, experimental, fake_rasa, otter)
    fake_rasa.chat_seconds = 1.0
    fake_rasa.most_talking = 0
    ana_looks.post(TALK, BESIDE)
    assert fake_rasa.most_talking == 2


def test_what_only_one_of_them_was_told_is_said_so(ana_looks, production, experimental, fake_rasa, otter):
    both(production, experimental, fake_rasa, otter)
    ana_looks.post(TALK, {"environment": "experimental", "message": "alone"})
    ana_looks.post(TALK, BESIDE)
    html = ana_looks.get(TALK, {"environment": "production", "beside": "experimental"}).text
    assert html.index("alone") < html.index("It was not told this") < html.index("hi there")


def test_an_environment_beside_that_is_not_there_is_404(ana_looks, production):
    assert ana_looks.get(TALK, {"beside": "nowhere"}).status_code == 404


@pytest.mark.parametrize("markup", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_markup_in_answers_is_text(ana_looks, bot, markup):
    bot.understand = lambda text: (markup, 0.9, [{"entity": markup, "value": {markup: markup}}])
    bot.answers = [
        {"text": markup, "image": markup, "buttons": [{"title": markup, "payload": markup}], "custom": markup}
    ]
    ana_looks.post(TALK, {"environment": "production", "message": markup})
    html = ana_looks.get(TALK).text
    assert markup not in html
    assert "<img" not in html


def test_a_session_of_an_earlier_version_begins_anew(ana_looks, bot, production):
    session = ana_looks.session
    session["talks"] = {str(production.pk): {"id": "page-1", "said": [{"who": "user", "text": "hi"}]}}
    session.save()
    assert ana_looks.get(TALK).status_code == 200


def test_a_server_that_cannot_be_reached_is_named(ana_looks, production):
    production.url = "http://127.0.0.1:9"
    production.save()
    html = ana_looks.post(TALK, {"environment": "production", "message": "hi"}).text
    assert "No connection could be made. It is asked at <code>http://127.0.0.1:9</code>;" in html
    assert 'href="/p/default/environments/production/connect/">Connect</a> tells how to change that' in html
