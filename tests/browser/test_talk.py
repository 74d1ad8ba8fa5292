"""Talk and Conversations by clicks, with the real Content-Security-Policy."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NARROW
from tests.browser.installation import ANSWERS, GUEST_PAGE

pytestmark = pytest.mark.chromium

TALK = "/p/default/talk/?environment=experimental"
CONVERSATIONS = "/p/default/conversations/"
MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture
def bot(site):
    """The bot of experimental, put back afterwards."""
    yield site.bot
    site.bot.answers, site.bot.chat_seconds, site.bot.override = ANSWERS, 0.0, None


def say(page, text):
    page.get_by_label("Message").fill(text)
    page.get_by_label("Message").press("Enter")


def test_what_the_bot_understood_stands_beside_each_message(page):
    page.goto(TALK)
    page.get_by_role("button", name="New conversation").click()
    say(page, "I lost my card")
    turn = page.locator(".turn").last
    expect(turn.locator(".said.user")).to_have_text("I lost my card")
    expect(turn.locator(".heard")).to_contain_text("block_card")
    expect(turn.locator(".payload")).to_contain_text('"kind": "map"')
    expect(turn.get_by_role("link", name=re.compile("A picture on cards.example.com"))).to_be_visible()
    turn.get_by_role("button", name="Yes").click()
    expect(page.locator(".said.user").last).to_have_text("/affirm")
    expect(page.get_by_label("Message")).to_have_value("")
    page.reload()
    expect(page.locator(".said.user").first).to_have_text("I lost my card")


def test_two_bots_side_by_side(page):
    page.goto(TALK)
    page.get_by_label("Beside").select_option("production")
    page.wait_for_url("**beside=production**")
    page.get_by_role("button", name="New conversation").click()
    say(page, "I lost my card")
    turn = page.locator(".turn").last
    expect(turn).to_contain_text("Differs in answer")
    expect(turn.locator(".cell").first).to_contain_text("A new one is on its way")
    expect(turn.locator(".cell").last).to_contain_text("Blocked. Anything else?")


def test_markup_of_a_bot_is_text(page, bot):
    bot.answers = [
        {"text": MARKUP, "image": "javascript:document.title='owned'", "custom": {MARKUP: MARKUP}},
        {"text": "Choose", "buttons": [{"title": MARKUP, "payload": MARKUP}]},
    ]
    page.goto(TALK)
    say(page, MARKUP)
    turn = page.locator(".turn").last
    expect(turn.locator(".said.bot").first).to_contain_text(MARKUP)
    turn.get_by_role("button", name="<img").click()
    expect(page.locator(".said.user").last).to_have_text(MARKUP)
    page.reload()
    expect(page.locator(".said.bot").first).to_be_visible()
    assert "owned" not in page.title()
    assert page.locator(".talk img").count() == 0
    page.goto(f"{CONVERSATIONS}?text=onerror")
    page.locator("tbody th a").first.click()
    expect(page.locator(".said.bot").last).to_be_visible()
    assert "owned" not in page.title()


def test_a_slow_bot_shows_what_was_said_at_once_and_takes_it_once(page, bot):
    bot.chat_seconds = 1.5
    page.goto(TALK)
    page.get_by_role("button", name="New conversation").click()
    say(page, "take your time")
    expect(page.locator(".pending .said.user")).to_have_text("take your time", timeout=1_000)
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    page.get_by_label("Message").press("Enter")
    page.get_by_label("Message").fill("and the next words")
    expect(page.locator(".bots")).to_have_count(1)
    expect(page.locator(".said.user")).to_have_count(1)
    expect(page.get_by_label("Message")).to_have_value("and the next words")


def test_what_was_typed_outlives_a_bot_that_is_away_and_a_reload(page, bot):
    page.goto(TALK)
    bot.override = (500, {"Content-Type": "text/plain"}, b"oops")
    say(page, "do not lose me")
    expect(page.get_by_role("alert")).to_contain_text("experimental cannot answer")
    expect(page.get_by_label("Message")).to_have_value("do not lose me")
    page.reload()
    expect(page.get_by_label("Message")).to_have_value("do not lose me")
    bot.override = None
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said.user").last).to_have_text("do not lose me")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_label("Message")).to_have_value("")


def test_without_the_network_what_was_typed_stays(contexts, anas_session):
    context, watched = contexts(storage_state=anas_session)
    watched.expected += ["ERR_INTERNET_DISCONNECTED", "htmx:"]
    page = context.new_page()
    page.goto(TALK)
    context.set_offline(True)
    say(page, "is anybody there")
    expect(page.locator(".pending")).to_have_count(0)
    expect(page.get_by_label("Message")).to_have_value("is anybody there")
    context.set_offline(False)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said.user").last).to_have_text("is anybody there")


def test_it_works_without_a_script(ana_at):
    page = ana_at(java_script_enabled=False)
    page.goto("/p/default/talk/?environment=experimental&beside=production")
    page.get_by_label("Message").fill("my card, no script")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said.user").last).to_have_text("my card, no script")
    expect(page.locator(".turn").last.locator(".cell").last).to_contain_text("Blocked")
    page.goto(f"{CONVERSATIONS}?text=no+script&environment=experimental")
    page.locator("tbody th a").first.click()
    page.get_by_text("Mark as an example").first.click()
    page.get_by_label("of the intent").first.fill("block_card")
    page.get_by_role("button", name="Mark").first.click()
    expect(page.get_by_text("example of block_card").first).to_be_visible()


def test_a_bot_is_shared_and_the_guest_is_listed(page, contexts):
    page.goto(TALK)
    page.locator("#share").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("pre").first).to_contain_text(GUEST_PAGE)
    dialog.get_by_label("It lasts").select_option("a week")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("until")
    guest = contexts()[0].new_page()
    guest.goto(GUEST_PAGE)
    guest.get_by_label("Message").fill("a guest with a card")
    guest.get_by_role("button", name="Send").click()
    expect(guest.locator(".said.bot").first).to_be_visible()
    page.goto(f"{CONVERSATIONS}?text=a+guest+with")
    expect(page.locator("tbody tr")).to_contain_text("a guest")


def test_an_example_is_marked_downloaded_and_the_conversation_forgotten(page):
    page.goto(TALK)
    page.get_by_role("button", name="New conversation").click()
    say(page, "the blue card please")
    expect(page.locator(".bots")).to_have_count(1)
    page.goto(f"{CONVERSATIONS}?text=blue+card")
    page.locator("tbody th a").click()
    page.get_by_text("Mark as an example").click()
    page.get_by_role("button", name="Mark", exact=True).click()
    expect(page.locator(".marks .chip")).to_contain_text("example of block_card")
    page.goto(f"{CONVERSATIONS}examples/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as NLU YAML").click()
    assert "the blue [card](card_type) please" in download.value.path().read_text()
    page.go_back()
    page.goto(f"{CONVERSATIONS}?text=blue+card")
    page.locator("tbody th a").click()
    page.locator("#forget").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 marked example")
    page.get_by_role("dialog").get_by_role("button", name="Forget it").click()
    expect(page.get_by_text("Forgot the conversation")).to_be_visible()
    page.goto(f"{CONVERSATIONS}?text=blue+card")
    expect(page.get_by_text("No conversation matches")).to_be_visible()


@pytest.mark.parametrize(
    "path",
    [
        TALK,
        f"{TALK}&beside=production",
        CONVERSATIONS,
        f"{CONVERSATIONS}in/production/?id=c-90411",
        f"{CONVERSATIONS}in/production/delete/?id=c-90411",
        f"{CONVERSATIONS}examples/",
        "/p/default/talk/share/",
    ],
)
@pytest.mark.parametrize("width", [NARROW["width"], 320])
def test_nothing_is_wider_than_a_phone(ana_at, path, width):
    page = ana_at(viewport={"width": width, "height": 700})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") == width
