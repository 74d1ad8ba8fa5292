"""A project that is full: 200 environments, names as long as they may be, right-to-left and emoji text."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NARROW
from tests.browser.full import ENVIRONMENTS, HEBREW, environment_name, model_name
from tests.browser.installation import Installation

pytestmark = pytest.mark.chromium

WIDTHS = (1360, NARROW["width"], 320)
FIRST, LAST = environment_name(0), environment_name(ENVIRONMENTS - 1)
LONG_MODEL = model_name(1)
ENVIRONMENT = f"/p/default/environments/{FIRST}/"
PAGES = (
    "/p/default/",
    "/p/default/models/",
    f"/p/default/models/{LONG_MODEL}/",
    f"{ENVIRONMENT}",
    f"{ENVIRONMENT}replicas/",
    f"{ENVIRONMENT}promote/",
    f"{ENVIRONMENT}promote/?model={model_name(5)}",
    f"{ENVIRONMENT}rollback/",
    f"/p/default/talk/?environment={FIRST}&beside={LAST}",
    "/p/default/conversations/",
    "/p/default/training/",
    "/p/default/history/",
    "/p/default/audit/",
    "/p/default/access/roles/",
    "/p/default/access/roles/developer/",
    "/p/default/access/new-role/",
    "/p/default/access/who-may/",
    "/p/default/settings/",
    "/p/default/settings/new-webhook/",
    "/p/default/search/?q=site",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Installation]:
    with Installation(Path(tmp_path_factory.mktemp("full")), "tests.browser.full") as installation:
        yield installation


def test_nothing_is_wider_than_the_window(ana_at):
    page = ana_at()
    wider = {}
    for path in PAGES:
        page.goto(path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 844})
            taken = page.evaluate("document.documentElement.scrollWidth")
            if taken > width:
                wider[path, width] = taken
    assert wider == {}


def test_the_overview_names_the_first_and_counts_the_rest(page):
    expect(page.locator(".verdict")).to_contain_text(f"and {ENVIRONMENTS - 7} more")
    expect(page.locator(".card")).to_have_count(ENVIRONMENTS)
    page.get_by_role("link", name="To the models").click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_in_viewport()


def test_the_overview_asks_what_changed_in_one_short_line(page):
    """Proxies cut a request line at 8 KB."""
    with page.expect_response("**/changes/?**") as answered:
        page.evaluate("htmx.trigger('[data-live]', 'refresh')")
    assert answered.value.ok
    assert len(answered.value.url) < 6_000


def test_the_matrix_says_where_a_model_is_instead_of_200_columns(page):
    page.goto(f"/p/default/models/?q={LONG_MODEL}")
    row = page.locator("tbody tr")
    expect(row.locator(".pill.now").first).to_have_text(f"{FIRST} now")
    assert page.locator("thead th").count() < 12


def test_the_menu_of_a_model_reaches_the_last_environment(page):
    page.goto(f"/p/default/models/?q={LONG_MODEL}")
    page.locator(".menu > summary[aria-label^=Actions]").click()
    menu = page.locator("tbody .menu-body")
    last = menu.get_by_role("link", name=LAST, exact=True)
    expect(last).to_be_attached()
    assert menu.bounding_box()["height"] <= 0.6 * page.viewport_size["height"] + 1
    last.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name=f"Promote to {LAST}")).to_be_visible()


def test_the_last_row_of_the_grid_is_ticked_and_saved(page):
    page.goto("/p/default/access/roles/developer/")
    expect(page.get_by_text("Everything else")).to_be_attached()
    page.locator(f"input[value='environments.{LAST}.write']").check()
    expect(page.locator("#role-preview")).to_contain_text(f"promote to {LAST}")
    page.locator("#save").click()
    expect(page.get_by_text("developer is saved.")).to_be_visible()


def test_one_talks_to_the_last_environment_of_the_menu_from_right_to_left(ana_at):
    page = ana_at(viewport=NARROW, has_touch=True)
    page.goto("/p/default/talk/")
    page.get_by_label("Environment").select_option(LAST)
    page.wait_for_url(f"**environment={LAST}**")
    page.get_by_label("Message").fill(HEBREW)
    page.get_by_role("button", name="Send").tap()
    expect(page.locator(".said.user p").last).to_have_css("direction", "rtl")
    expect(page.locator(".said.bot").first).to_be_visible()


def test_what_people_wrote_from_right_to_left_does_not_turn_what_stands_beside_it(page):
    page.goto("/p/default/history/")
    expect(page.locator(".timeline bdi").first).to_have_css("unicode-bidi", "isolate")
