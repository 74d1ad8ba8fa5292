"""Bad days: the back button, two tabs, a slow server, impatience, a small window, no mouse, no wish for motion."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.test_accessibility import MORE
from tests.browser.test_pages import PAGES, promote, upload

pytestmark = pytest.mark.chromium

TO_EXPERIMENTAL = "**/environments/experimental/promote/**"
# What moved up or down, or grew, though nobody had clicked or typed; buffered, so it tells of the loading too. Words
# that move along their line beside a time that ticks are no jump.
JUMPS = """() => new Promise((done) => {
    const found = [];
    const jumps = ({ previousRect: before, currentRect: now }) => before.y !== now.y || before.height !== now.height;
    const note = (list) => {
        for (const one of list.getEntries()) {
            if (one.hadRecentInput) continue;
            found.push(...one.sources.filter(jumps).map(({ node }) => node?.textContent.trim()));
        }
    };
    new PerformanceObserver(note).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => done(found)));
})"""


class Held:
    """Requests to `address` wait until they are let go. `asked` counts them."""

    def __init__(self, page: Page, address: str, method: str) -> None:
        self.asked = 0
        self._method = method
        self._waiting: list[Route] = []
        self._open = False
        page.route(address, self._take)

    def _take(self, route: Route) -> None:
        asked_for = route.request.method == self._method
        self.asked += asked_for
        if asked_for and not self._open:
            self._waiting.append(route)
        else:
            route.continue_()

    def let_go(self) -> None:
        self._open = True
        for route in self._waiting:
            route.continue_()


def promotions_of(page: Page, model: str) -> int:
    page.goto("/p/default/history/")
    return page.locator(".timeline .title", has_text=model).count()


def test_back_after_a_promotion_shows_what_is_there_now(page):
    model = upload(page)
    page.goto("/p/default/")
    expect(page.locator("#card-experimental")).not_to_contain_text(model)
    page.get_by_role("row", name=re.compile(model)).get_by_role("link", name=model).click()
    page.locator("#to-experimental").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Promote to experimental").click()
    expect(dialog.get_by_text(re.compile("Live: 2 of 2"))).to_be_visible()
    page.go_back()
    expect(page.locator("#card-experimental .serves")).to_have_text(model)
    page.go_forward()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".places")).to_contain_text("serves it")
    assert promotions_of(page, model) == 1


def test_back_to_a_form_that_was_sent_it_can_be_sent_again(page):
    for name in ("one", "another"):
        page.goto("/p/default/access/new-role/")
        page.get_by_label("Name", exact=True).fill(f"bad days {name}")
        page.locator("#save").click()
        expect(page.get_by_text(f"bad days {name} is there")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name="New role")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("bad days third")
    page.locator("#save").click()
    expect(page.get_by_text("bad days third is there")).to_be_visible()


def test_two_tabs_the_second_is_told_who_and_what_and_asks_for_the_name_again(contexts, anas_session):
    context, watched = contexts(storage_state=anas_session)
    watched.expected.append("409")
    one, other = context.new_page(), context.new_page()
    first, second = upload(one), upload(one)
    tabs = ((one, promote(one, first, "production")), (other, promote(other, second, "production")))
    for _, dialog in tabs:
        dialog.get_by_label("Type production to confirm").fill("production")
        dialog.get_by_role("button", name="Promote to production").click()
    told = tabs[1][1]
    expect(told.get_by_role("alert")).to_contain_text(f"ana promoted {first} meanwhile")
    expect(told.locator(".moves")).to_contain_text(first)
    expect(told.get_by_role("button", name="Promote to production")).to_be_disabled()
    assert promotions_of(one, second) == 0
    told.get_by_label("Type production to confirm").fill("production")
    told.get_by_role("button", name="Promote to production").click()
    expect(told.get_by_text(re.compile("Live: 3 of 3"))).to_be_visible()


def test_a_slow_server_is_seen_and_impatient_clicks_promote_once(page):
    model = upload(page)
    page.goto(f"/p/default/models/{model}/")
    opening = Held(page, TO_EXPERIMENTAL, "GET")
    button = page.locator("#to-experimental")
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    assert page.evaluate("getComputedStyle(document.querySelector('#to-experimental'), '::after').content") == '""'
    opening.let_go()
    dialog = page.get_by_role("dialog")
    sending = Held(page, TO_EXPERIMENTAL, "POST")
    send = dialog.get_by_role("button", name="Promote to experimental")
    before = send.bounding_box()
    send.dblclick()
    expect(dialog.locator("#promote-form")).to_have_attribute("aria-busy", "true")
    send.click()
    dialog.get_by_label("Why").press("Control+Enter")
    page.evaluate("document.querySelector('#promote-form').requestSubmit()")
    assert send.bounding_box() == before
    assert sending.asked == 1
    sending.let_go()
    expect(dialog.get_by_text(re.compile("Live: 2 of 2"))).to_be_visible()
    assert sending.asked == 1
    assert promotions_of(page, model) == 1


def test_without_a_script_two_sendings_of_one_form_promote_once(page, contexts, anas_session):
    model = upload(page)
    form = contexts(storage_state=anas_session, java_script_enabled=False)[0].new_page()
    form.goto(f"/p/default/environments/experimental/promote/?model={model}")
    form.get_by_role("button", name="Promote to experimental").dblclick()
    expect(form.get_by_role("heading", name=re.compile("To experimental"))).to_be_visible()
    assert promotions_of(form, model) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/p/default/",
        "/p/default/models/",
        "/p/default/models/calm-heron/",
        "/p/default/environments/production/connect/",
        "/p/default/training/",
    ],
)
def test_nothing_jumps_when_the_scripts_come_late(page, path):
    scripts = Held(page, re.compile(r"\.js$"), "GET")
    page.goto(path, wait_until="commit")
    expect(page.locator(".help")).to_be_visible()
    assert page.evaluate(JUMPS) == []
    scripts.let_go()
    page.wait_for_load_state("load")
    assert scripts.asked > 0
    assert page.evaluate(JUMPS) == []


def test_nothing_jumps_when_the_overview_refreshes(page):
    expect(page.locator("#card-experimental")).to_contain_text("In sync 2/2")
    page.reload()
    with page.expect_response("**/changes/?**"):
        pass
    with page.expect_response("**/changes/?**"):
        pass
    assert page.evaluate(JUMPS) == []


def test_a_window_at_200_per_cent_and_the_narrowest_phone_hold_every_page(contexts, anas_session):
    context, watched = contexts(
        storage_state=anas_session, viewport={"width": 680, "height": 430}, device_scale_factor=2
    )
    watched.expected.append("404")
    page = context.new_page()
    wider = {}
    for path in (*PAGES, *MORE):
        page.goto(path)
        for width in (680, 320):
            page.set_viewport_size({"width": width, "height": 430})
            taken = page.evaluate("document.documentElement.scrollWidth")
            if taken > width:
                wider[path, width] = taken
    assert wider == {}


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until `selector` has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def test_one_promotes_from_the_overview_by_the_keyboard_alone(page):
    model = upload(page)
    page.goto("/p/default/")
    tab_to(page, "#experimental-promote")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Which model?")).to_be_visible()
    tab_to(page, "dialog .pick a")
    expect(page.locator(":focus")).to_contain_text(model)
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Promote to experimental")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_text(re.compile("Live: 2 of 2"))).to_be_visible()
    expect(dialog.get_by_role("button", name="Close", exact=True).last).to_be_focused()
    # What opened the dialog was replaced meanwhile.
    expect(page.locator("#card-experimental")).to_contain_text(model)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("#experimental-promote")).to_be_focused()


def test_what_a_menu_opened_leads_back_to_the_menu(page):
    page.goto("/p/default/models/")
    button = page.locator("summary[aria-label^='Actions for']").first
    button.press("Enter")
    page.get_by_role("link", name="Tag…").press("Enter")
    expect(page.get_by_role("dialog").get_by_role("heading")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()


RUNNING = "document.getAnimations().map((one) => one.animationName ?? one.transitionProperty)"


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_who_wants_no_motion_sees_none(ana_at, motion):
    """The sign of what is going on turns, and so does the arrow of what folds out."""
    page = ana_at(reduced_motion=motion)
    page.goto("/styleguide/")
    expect(page.locator(".turns").first).to_be_visible()
    turning = page.evaluate(RUNNING)
    page.goto("/p/default/models/late-ember/")
    folding = page.evaluate(
        f"(document.querySelector('details.fold:not([open])').open = true, document.body.offsetWidth, {RUNNING})"
    )
    if motion == "reduce":
        assert turning + folding == []
    else:
        assert "turn" in turning
        assert "rotate" in folding
