"""What goes wrong under one's hands: a fault is told where one looks, what is typed stays, what one sees is true."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import sign_in
from tests.browser.installation import GUEST_PAGE
from tests.browser.test_bad_days import TO_EXPERIMENTAL, Held, tab_to
from tests.browser.test_pages import promote, upload

pytestmark = pytest.mark.chromium

OURS = '<div class="problem-part" data-problem="internal-error"><p>The log has it under 4b0ed179.</p></div>'


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (500, OURS, "The log has it under 4b0ed179."),
        (502, "Bad gateway", "The control plane does not answer. Try again"),
    ],
)
def test_a_fault_is_told_in_the_dialog_that_asked(contexts, anas_session, status, body, told):
    context, watched = contexts(storage_state=anas_session)
    watched.expected.append(str(status))
    page = context.new_page()
    dialog = promote(page, upload(page))

    def fail(route):
        if route.request.method == "POST":
            route.fulfill(status=status, body=body, content_type="text/html")
        else:
            route.continue_()

    page.route(TO_EXPERIMENTAL, fail)
    dialog.get_by_role("button", name="Promote to experimental").click()
    expect(dialog).to_contain_text(told)


def test_the_page_behind_the_dialog_tells_what_was_promoted(page):
    model = upload(page)
    dialog = promote(page, model)
    expect(page.locator(".pill.now")).to_have_count(0)
    dialog.get_by_role("button", name="Promote to experimental").click()
    expect(dialog.get_by_text(re.compile("Live: 2 of 2"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".pill.now")).to_have_text("experimental now")


def test_why_a_button_is_off_is_told_to_who_has_no_mouse(contexts):
    page = sign_in(contexts()[0].new_page(), "ben")
    off = page.locator("#card-production [aria-disabled=true]").first
    off.press("Enter")
    expect(page.locator("#toast")).to_have_text(off.get_attribute("title"))


def test_a_selection_that_ends_beside_the_dialog_does_not_close_it(page):
    dialog = promote(page, upload(page))
    box = dialog.get_by_label("Why").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(5, 5)
    page.mouse.up()
    expect(dialog).to_be_visible()
    page.mouse.click(5, 5)
    expect(dialog).to_have_count(0)


def test_a_declaration_outlives_a_reload(page):
    page.goto("/p/default/new-pipeline/")
    field = page.get_by_label("Declaration")
    begun = field.input_value()
    field.press_sequentially("# mine\n")
    typed = field.input_value()
    assert typed != begun
    page.reload()
    expect(field).to_have_value(typed)
    expect(page.locator("#toast")).to_contain_text("is back")


def test_a_link_keeps_the_focus_while_its_list_follows(page):
    """The list of lately is told anew when somebody promotes; whoever walks it by keyboard stays where they are."""
    promote(page, upload(page)).get_by_role("button", name="Promote to experimental").click()
    page.goto("/p/default/")
    tab_to(page, "#card-experimental .serves")
    page.evaluate(
        "document.querySelector('#card-experimental').dataset.digest = 'old'; htmx.trigger('[data-live]', 'refresh')"
    )
    expect(page.locator("#card-experimental[data-digest=old]")).to_have_count(0)
    expect(page.locator("#card-experimental .serves")).to_be_focused()


def test_a_guest_goes_on_typing_while_the_bot_thinks(contexts):
    page = contexts()[0].new_page()
    page.goto(GUEST_PAGE)
    sending = Held(page, f"**{GUEST_PAGE}*", "POST")
    field = page.get_by_label("Message")
    field.fill("I lost my card")
    field.press("Enter")
    expect(page.locator(".pending")).to_contain_text("I lost my card")
    field.fill("and my keys")
    sending.let_go()
    expect(page.locator(".said.bot").first).to_contain_text("Your card is blocked")
    expect(page.locator(".said.user")).to_have_text("I lost my card")
    expect(field).to_have_value("and my keys")


def test_a_guest_is_told_that_the_bot_cannot_be_reached(contexts):
    context, watched = contexts()
    watched.expected.append("ERR_FAILED")
    page = context.new_page()
    page.goto(GUEST_PAGE)
    page.route(f"**{GUEST_PAGE}*", lambda route: route.abort())
    page.get_by_label("Message").fill("hello?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#away")).to_be_visible()
    expect(page.get_by_label("Message")).to_have_value("hello?")
