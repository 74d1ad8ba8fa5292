"""Webhooks by clicks: one is set up, its secret is shown once, a test waits in the log, and it is removed."""

import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NARROW

pytestmark = pytest.mark.chromium

SETTINGS = "/p/default/settings/"


def set_up(page) -> str:
    """A webhook of two events, by clicks; its name."""
    name = f"deploy log {uuid.uuid4().hex[:6]}"
    page.goto(SETTINGS)
    page.get_by_role("link", name="New webhook").first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("URL, or address of e-mail").fill("https://deploys.example.com/a-secret-part")
    page.get_by_label("Only what is ticked").check()
    page.get_by_label("a job failed").check()
    page.get_by_label("it is unreachable").check()
    page.get_by_role("button", name="Set it up").click()
    return name


def test_a_webhook_is_set_up_tested_and_removed(page):
    name = set_up(page)
    expect(page.get_by_text("It is shown here once")).to_be_visible()
    secret = page.locator("#secret").inner_text()
    page.get_by_role("link", name=f"To {name}").click()
    expect(page.get_by_label("a job failed")).to_be_checked()
    expect(page.get_by_label("a job succeeded")).not_to_be_checked()
    assert secret not in page.content()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text(f"A test of the webhook {name}")).to_be_visible()
    page.locator("#remove").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 notification, is dropped")
    page.get_by_role("dialog").get_by_role("button", name="Remove it").click()
    expect(page.get_by_text(f"{name} was removed.")).to_be_visible()
    expect(page.get_by_role("row", name=name)).to_have_count(0)


def test_it_is_switched_off_without_a_script(contexts, anas_session):
    page = contexts(storage_state=anas_session, java_script_enabled=False)[0].new_page()
    name = set_up(page)
    page.get_by_role("link", name=f"To {name}").click()
    page.get_by_label("Switched on").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h2", has_text=name)).to_contain_text("Off")
    page.goto(SETTINGS)
    expect(page.get_by_role("row", name=name)).to_contain_text("2 events")


def test_what_is_wrong_now_fits_on_a_phone(ana_at):
    page = ana_at(viewport=NARROW)
    page.goto(SETTINGS)
    expect(page.get_by_role("heading", name="Wrong now")).to_be_visible()
    for address in (SETTINGS, f"{SETTINGS}new-webhook/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
