"""The frame: the one sentence in the tab's title and icon, and what the keyboard does on every page."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NARROW, PASSWORD
from tests.browser.installation import Poller

pytestmark = pytest.mark.chromium


def test_the_tab_carries_the_one_sentence_and_follows_it(page, site):
    icon = page.locator("link[rel=icon]")
    expect(page.locator(".sentence")).to_have_text(
        re.compile("^production: 3 of 3 replicas proved gritty-schema, last proof")
    )
    expect(page).to_have_title("production in sync 3/3 · Overview · Control Plane")
    expect(icon).to_have_attribute("href", re.compile("icons/good.svg$"))
    poller: Poller = site.pollers["rasa-production-3"]
    poller.busy = True
    try:
        expect(page.locator(".verdict.bad")).to_be_visible(timeout=30_000)
        expect(page.locator(".verdict")).to_contain_text("2 of 3 replicas proved")
        expect(page).to_have_title(re.compile("^production (out of sync|degraded)"))
        expect(icon).to_have_attribute("href", re.compile("icons/bad.svg$"))
        expect(page.locator("#announced")).to_have_text(re.compile("^production: out of sync"))
        page.get_by_role("link", name="See the replicas").click()
        expect(page.get_by_role("row", name=re.compile("rasa-production-3"))).to_contain_text("Silent")
    finally:
        poller.busy = False


def test_the_search_is_walked_by_the_keyboard_alone(page):
    page.keyboard.press("/")
    expect(page.get_by_label("Search", exact=True)).to_be_focused()
    page.keyboard.type("ember")
    # The model, and the job that evaluated it.
    expect(page.locator("#found a .name")).to_have_text(["late-ember", re.compile(r"Job \d+ late-ember")])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="late-ember")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("production")
    expect(page.locator("#found a").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#found a")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Search", exact=True)).to_be_visible()


def test_keys_lead_through_the_pages_and_can_be_turned_off(page):
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Keys")).to_be_visible()
    dialog.get_by_label("Listen to single keys in this browser").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Search", exact=True)).not_to_be_focused()


def test_keys_are_text_where_one_types(page):
    page.goto("/p/default/models/")
    field = page.get_by_label("Search models")
    field.press_sequentially("g?/m")
    expect(field).to_have_value("g?/m")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_phone_has_every_page_within_two_taps(ana_at):
    page = ana_at(viewport=NARROW, has_touch=True)
    bar = page.get_by_role("navigation", name="Pages")
    bar.get_by_text("More", exact=True).tap()
    bar.get_by_role("link", name="Audit").tap()
    expect(page.get_by_role("heading", name="Audit")).to_be_visible()
    page.get_by_role("link", name="Search").tap()
    page.get_by_label("Search for").fill("otter")
    page.get_by_role("button", name="Search").tap()
    expect(page.locator(".hits")).to_contain_text("brisk-otter")


@pytest.mark.parametrize("path", ["/p/default/", "/p/default/models/", "/p/default/search/?q=e", "/p/default/history/"])
def test_320_pixels_are_enough(ana_at, path):
    page = ana_at(viewport={"width": 320, "height": 640})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("scripts", [True, False])
def test_a_button_that_needs_a_script_is_there_with_scripts_and_its_substitute_without(ana_at, scripts):
    page = ana_at(java_script_enabled=scripts)
    page.goto("/p/default/models/")
    expect(page.get_by_role("main").get_by_role("button", name="Search")).to_be_visible(visible=not scripts)
    page.goto("/p/default/environments/production/connect/")
    expect(page.locator(".copy").first).to_be_visible(visible=scripts)


def test_what_was_typed_outlives_the_session(page):
    page.goto("/p/default/environments/experimental/promote/?model=late-ember")
    page.get_by_label("Why").fill("the long story of why")
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Promote to experimental").click()
    expect(page.locator("#signed-out")).to_contain_text("Your session has ended")
    page.get_by_role("link", name="Sign in again").click()
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Why")).to_have_value("the long story of why")


def test_a_page_says_that_the_network_is_away_until_it_is_back(contexts, anas_session):
    context, watched = contexts(storage_state=anas_session)
    watched.expected.append("ERR_INTERNET_DISCONNECTED")
    page = context.new_page()
    page.goto("/p/default/")
    context.set_offline(True)
    expect(page.locator("#away")).to_be_visible()
    context.set_offline(False)
    expect(page.locator("#away")).to_be_hidden()


def test_a_double_click_sends_once(page):
    page.goto("/account/")
    page.get_by_text("New token").click()
    page.get_by_label("Name", exact=True).fill("twice")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.get_by_role("button", name="Create the token").dblclick()
    expect(page.get_by_text("It is shown here once")).to_be_visible()
    assert len(sent) == 1
