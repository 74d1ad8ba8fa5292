"""Conversations as pages: found, read, marked, forgotten."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from environments import examples
from environments.clients.rasa import RasaClient
from environments.models import MarkedExample, Message
from tests.environments.pages.conftest import signed_in
from tests.factories import MessageFactory, take

LIST = "/p/default/conversations/"
TRANSCRIPT = f"{LIST}in/production/?id=me"
MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def bot(production, otter, fake_rasa):
    production.url = fake_rasa.url
    production.save()
    fake_rasa.load(model_id=otter.model_id)
    return fake_rasa


def said(environment, bot, *texts, conversation="me") -> list[Message]:
    """Each said to the bot, and kept; not understood yet."""
    rows = []
    for text in texts:
        RasaClient(bot.url).send_message(conversation, text)
        rows.append(
            MessageFactory(
                environment=environment,
                conversation=conversation,
                text=text,
                intent="",
                confidence=None,
                understood_at=None,
            )
        )
    return rows


def test_an_empty_list_says_what_to_do_first(ana_looks, production):
    html = ana_looks.get(LIST).text
    assert "Nobody has talked yet" in html
    assert 'href="/p/default/talk/"' in html


def test_the_list_tells_the_last_words_and_what_was_understood(ana_looks, production, otter):
    MessageFactory(environment=production, text="hi there", intent="greet", confidence=0.42, model=otter, door="guest")
    html = ana_looks.get(LIST).text
    for told in ("hi there", "me · a guest", "greet", ".420", "brisk-otter"):
        assert told in html


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("environment=production", 1),
        ("environment=experimental", 1),
        ("intent=greet", 1),
        ("model=brisk-otter", 1),
        ("least=0.5", 1),
        ("most=0.5", 1),
        ("least=0.95", 0),
        ("text=CARD", 1),
        ("since=2026-01-02&until=2026-01-02", 1),
        ("until=2026-01-01", 0),
    ],
)
def test_the_filters_of_the_page(ana_looks, production, experimental, otter, query, count):
    at = timezone.datetime(2026, 1, 2, 23, 59, tzinfo=timezone.get_fixed_timezone(0))
    MessageFactory(environment=production, text="my card", confidence=0.9, model=otter, at=at)
    MessageFactory(environment=experimental, intent="goodbye", text="bye", confidence=0.2)
    html = ana_looks.get(f"{LIST}?{query}").text
    assert html.count('class="last-said"') == count
    assert ("No conversation matches" in html) == (count == 0)


def test_a_filter_that_cannot_be_read_is_told_beside_the_list(ana_looks, production):
    answer = ana_looks.get(f"{LIST}?least=lots")
    assert answer.status_code == 400
    assert "least is a number from 0 to 1" in answer.text


def test_an_unknown_environment_is_404(ana_looks, production):
    assert ana_looks.get(f"{LIST}?environment=nowhere").status_code == 404


def test_older_ones_are_on_the_next_page(ana_looks, production):
    for number in range(51):
        MessageFactory(environment=production, conversation=f"c-{number:02}")
    first = ana_looks.get(LIST)
    assert ("c-50" in first.text, "c-00" in first.text) == (True, False)
    second = ana_looks.get(f"{LIST}?cursor={first.context['older']}").text
    assert second.count('class="last-said"') == 1
    assert "c-00" in second


def test_as_many_queries_for_200_conversations_as_for_3(ana_looks, production, otter):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert ana_looks.get(LIST).status_code == 200
        return len(captured)

    for number in range(3):
        MessageFactory(environment=production, conversation=f"c-{number}", model=otter)
    ana_looks.get(LIST)
    few = queries()
    for number in range(200):
        MessageFactory(environment=production, conversation=f"many-{number}", model=otter)
    assert queries() == few


def test_a_transcript_tells_what_was_said_understood_and_answered(ana_looks, production, bot):
    bot.understand = lambda text: ("order", 0.8, [{"entity": "city", "value": "Paris", "start": 3, "end": 8}])
    said(production, bot, "to Paris")
    html = ana_looks.get(TRANSCRIPT).text
    for told in ("to Paris", "<code>order</code>", ".800", "<code>city</code>", "utter_order", "Hello", "brisk-otter"):
        assert told in html


def test_who_reads_a_transcript_sees_in_the_list_what_was_understood(ana_looks, production, bot):
    said(production, bot, "hi")
    assert "not read yet" in ana_looks.get(LIST).text
    ana_looks.get(TRANSCRIPT)
    assert "not read yet" not in ana_looks.get(LIST).text


@pytest.mark.parametrize("conversation", ["a/b", "..", "?x=1&y", "ü b", "c#d", MARKUP, "x" * 300])
def test_any_id_can_be_read(ana_looks, production, bot, conversation):
    said(production, bot, "hi", conversation=conversation)
    listed = ana_looks.get(LIST).text
    assert f"id={quote(conversation, safe='')}" in listed
    html = ana_looks.get(f"{LIST}in/production/?id={quote(conversation, safe='')}").text
    assert "Hello" in html or conversation == ".."
    assert MARKUP not in html + listed


def test_with_the_server_away_what_was_said_is_still_there(ana_looks, production):
    production.url = "http://127.0.0.1:9"
    production.save()
    MessageFactory(environment=production, text="hi there", intent="greet")
    answer = ana_looks.get(TRANSCRIPT)
    assert answer.status_code == 200
    for told in ("The answers cannot be shown now", "hi there", "<code>greet</code>"):
        assert told in answer.text


def test_what_the_tracker_lost_stands_where_it_was_said(ana_looks, production, bot):
    MessageFactory(environment=production, text="before the restart")
    said(production, bot, "after it")
    html = ana_looks.get(TRANSCRIPT).text
    assert html.index("before the restart") < html.index("after it")


def test_what_came_by_another_way_is_told_so(ana_looks, production, bot):
    said(production, bot, "hi")
    RasaClient(bot.url).send_message("me", "by another way")
    assert "came to the bot by another way" in ana_looks.get(TRANSCRIPT).text


def test_of_a_long_conversation_the_end_is_shown_first(ana_looks, production, bot):
    said(production, bot, *(f"word {number:03}" for number in range(103)))
    html = ana_looks.get(TRANSCRIPT).text
    assert ("word 002" in html, "word 003" in html, "Show the 3 earlier" in html) == (False, True, True)
    assert "word 000" in ana_looks.get(f"{TRANSCRIPT}&all=1").text


def test_markup_in_words_answers_and_payloads_is_text(ana_looks, production, bot):
    bot.understand = lambda text: (MARKUP, 0.8, [{"entity": MARKUP, "value": MARKUP}])
    bot.answers = [
        {"text": MARKUP, "image": "javascript:alert(1)"},
        {"custom": {MARKUP: MARKUP}, "buttons": [{"title": MARKUP, "payload": '"><img src=x onerror=alert(1)>'}]},
    ]
    said(production, bot, MARKUP)
    html = ana_looks.get(TRANSCRIPT).text
    assert MARKUP not in html
    assert "<img" not in html
    assert 'href="javascript' not in html


def mark(browser, message, intent="greet"):
    return browser.post(f"{LIST}messages/{message.pk}/mark/", {"intent": intent})


def test_a_message_is_marked_with_its_entities_and_downloaded(ana_looks, production, bot):
    bot.understand = lambda text: ("order", 0.8, [{"entity": "city", "value": "Paris", "start": 3, "end": 8}])
    [message] = said(production, bot, "to Paris")
    ana_looks.get(TRANSCRIPT)
    answer = mark(ana_looks, message, "book_trip")
    assert answer.url == f"{TRANSCRIPT}#m{message.pk}"
    assert "example of <code>book_trip</code>" in ana_looks.get(TRANSCRIPT).text
    file = ana_looks.get(f"{LIST}examples.yml")
    assert "attachment" in file.headers["Content-Disposition"]
    expected = examples.document([examples.Example("book_trip", "to [Paris](city)")])
    assert file.content == expected


def test_a_mark_is_made_once_and_let_go(ana_looks, production):
    message = MessageFactory(environment=production)
    mark(ana_looks, message)
    mark(ana_looks, message)
    [marked] = MarkedExample.objects.all()
    assert "hi" in ana_looks.get(f"{LIST}examples/").text
    answer = ana_looks.post(f"{LIST}examples/{marked.pk}/remove/")
    assert answer.url == f"{LIST}examples/"
    assert "Nothing is marked yet" in ana_looks.get(f"{LIST}examples/").text


@pytest.mark.parametrize(
    ("text", "intent", "why"),
    [
        ("hi", "", "Name the intent"),
        ("hi", "two words", "Name the intent"),
        ("hi", "nlu_fallback", "Name the intent"),
        ("/greet", "greet", "came from a button"),
        ("", "greet", "came from a button"),
    ],
)
def test_what_is_no_example_is_refused_with_the_reason(ana_looks, production, bot, text, intent, why):
    message = MessageFactory(environment=production, text=text)
    answer = ana_looks.post(f"{LIST}messages/{message.pk}/mark/", {"intent": intent}, follow=True)
    assert why in answer.text
    assert not MarkedExample.objects.exists()


def test_long_texts_can_be_marked(ana_looks, production):
    message = MessageFactory(environment=production, text="word " * 799)
    mark(ana_looks, message)
    assert MarkedExample.objects.get().text.startswith("word word")


def test_a_conversation_is_forgotten_after_a_question(ana_looks, production, bot):
    MessageFactory(environment=production)
    address = f"{LIST}in/production/delete/?id=me"
    assert "1 message are removed" in ana_looks.get(address).text.replace("  ", " ")
    assert Message.objects.exists()
    assert ana_looks.post(address).url == LIST
    assert not Message.objects.exists()
    assert ana_looks.get(TRANSCRIPT).status_code == 404


@pytest.mark.parametrize("lacking", ["conversations.read", "conversations.write"])
def test_marking_and_forgetting_need_both_grants(ben, production, lacking):
    message = MessageFactory(environment=production)
    take(ben, lacking)
    browser = signed_in(ben)
    assert mark(browser, message).status_code == 403
    assert browser.post(f"{LIST}in/production/delete/?id=me").status_code == 403
    assert Message.objects.exists()
    assert not MarkedExample.objects.exists()


def test_an_outsider_finds_nothing(cy_looks, production):
    message = MessageFactory(environment=production)
    for path in (LIST, TRANSCRIPT, f"{LIST}examples/", f"{LIST}examples.yml"):
        assert cy_looks.get(path).status_code == 404
    assert mark(cy_looks, message).status_code == 404


def test_a_message_of_another_day_far_back_is_found(ana_looks, production):
    MessageFactory(environment=production, at=timezone.now() - timedelta(days=4000))
    assert ana_looks.get(LIST).text.count('class="last-said"') == 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by how much there is")
@pytest.mark.parametrize(
    "query",
    ["", "text=hi", "intent=greet", "environment=production", "until=2026-01-31", "most=.5"],
)
def test_whether_a_message_is_the_last_one_is_seen_from_its_conversation_alone(ana_looks, production, otter, query):
    with CaptureQueriesContext(connection) as captured:
        assert ana_looks.get(f"{LIST}?{query}").status_code == 200
    (listing,) = [one["sql"] for one in captured if "NOT EXISTS" in one["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {listing}")
        (inner,) = [step for *_, step in cursor.fetchall() if " U0 " in step]
    assert "INDEX message_conversation (environment_id=? AND conversation=? AND id>?)" in inner
