"""What an administrator does with the pages of Access, and what somebody else may do from then on."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NARROW, sign_in
from tests.browser.test_pages import promote, upload

pytestmark = pytest.mark.chromium

ACCESS = "/p/default/access/"
PASSWORD = "badgers-dig-at-dusk"
TO_PRODUCTION = "input[name=grant][value='environments.production.write']"


def unique(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:6]}"


def create_role(page, *grants: str) -> str:
    """A role with these grants, by clicks; its name."""
    name = unique("night shift")
    page.goto(f"{ACCESS}roles/")
    page.get_by_role("link", name="New role").click()
    page.get_by_label("Name", exact=True).fill(name)
    for grant in grants:
        page.locator(f"input[name=grant][value='{grant}']").check()
    return name


def promote_to_production(page, model: str) -> None:
    dialog = promote(page, model, "production")
    dialog.get_by_label("Type production to confirm").press_sequentially("production")
    dialog.get_by_role("button", name="Promote to production").click()
    expect(dialog.get_by_text(re.compile("Live: 3 of 3"))).to_be_visible()


def test_an_administrator_creates_a_role_and_a_user_with_it_who_signs_in_and_promotes(page, contexts):
    model = upload(page)
    role = create_role(page, "environments.read", "models.read", "environments.production.write")
    expect(page.locator("#role-preview")).to_contain_text("May promote to production; reads environments and models.")
    page.get_by_role("button", name="Create the role").click()
    expect(page.get_by_text(f"{role} is there")).to_be_visible()

    name = unique("nora")
    page.goto(f"{ACCESS}new-user/")
    page.get_by_label("User name").fill(name)
    page.locator("input[name=role][value=tester]").uncheck()
    page.locator(f"input[name=role][value='{role}']").check()
    page.get_by_role("button", name="Create the user").click()
    link = page.locator("#link").inner_text()

    nora = contexts()[0].new_page()
    nora.goto(link)
    expect(nora.get_by_role("heading", name=f"Welcome, {name}")).to_be_visible()
    nora.get_by_label("New password").fill(PASSWORD)
    nora.get_by_label("The same again").fill(PASSWORD)
    nora.get_by_role("button", name="Set the password and sign in").click()
    expect(nora.get_by_role("heading", name="Overview")).to_be_visible()
    expect(nora.get_by_role("link", name="Access")).to_have_count(0)
    promote_to_production(nora, model)

    page.goto(f"{ACCESS}who-may/production/")
    row = page.get_by_role("row", name=re.compile(name))
    expect(row).to_contain_text(role)
    expect(row).to_contain_text("1 session")


def test_a_grant_that_was_given_in_the_grid_counts_at_the_next_click(page, contexts):
    """Ben stays signed in, before the same page."""
    model = upload(page)
    ben = sign_in(contexts()[0].new_page(), "ben")
    ben.goto(f"/p/default/models/{model}/")
    button = ben.locator("#to-production")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("title", re.compile("environments.production.write"))

    page.goto(f"{ACCESS}roles/developer/")
    page.locator(TO_PRODUCTION).check()
    expect(page.locator("#role-preview")).to_contain_text("1 person will be able to promote to production: ben.")
    page.locator("#save").click()
    expect(page.get_by_text("developer is saved.")).to_be_visible()
    try:
        promote_to_production(ben, model)
    finally:
        page.locator(TO_PRODUCTION).uncheck()
        expect(page.locator("#role-preview")).to_contain_text("will no longer be able to promote to production: ben.")
        page.locator("#save").click()
        expect(page.get_by_text("developer is saved.")).to_be_visible()
    ben.goto(f"/p/default/models/{upload(page)}/")
    expect(button).to_have_attribute("aria-disabled", "true")


def test_without_a_script_a_change_is_looked_at_before_it_is_saved(contexts, anas_session):
    page = contexts(storage_state=anas_session, java_script_enabled=False)[0].new_page()
    page.goto(f"{ACCESS}roles/developer/")
    expect(page.locator("#save")).to_be_hidden()
    page.locator(TO_PRODUCTION).check()
    page.get_by_role("button", name="See what this changes").click()
    expect(page.locator("#role-preview")).to_contain_text("1 person will be able to promote to production: ben.")
    expect(page.locator(TO_PRODUCTION)).to_be_checked()
    page.locator(TO_PRODUCTION).uncheck()
    page.locator("#save").click()
    expect(page.get_by_text("developer is saved.")).to_be_visible()


def test_a_deactivated_user_is_out_at_the_next_click(page, contexts):
    name = unique("otto")
    page.goto(f"{ACCESS}new-user/")
    page.get_by_label("User name").fill(name)
    page.get_by_role("button", name="Create the user").click()
    otto = contexts()[0].new_page()
    otto.goto(page.locator("#link").inner_text())
    otto.get_by_label("New password").fill(PASSWORD)
    otto.get_by_label("The same again").fill(PASSWORD)
    otto.get_by_role("button", name="Set the password and sign in").click()
    expect(otto.get_by_role("heading", name="Overview")).to_be_visible()

    page.goto(f"{ACCESS}users/{name}/")
    page.get_by_role("link", name="Deactivate…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"1 session of {name} ends now")
    dialog.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_text(f"{name} is deactivated:")).to_be_visible()
    otto.goto("/p/default/models/")
    expect(otto.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_new_token_fits_on_a_phone(ana_at):
    page = ana_at(viewport=NARROW)
    page.goto("/account/")
    page.get_by_text("New token").click()
    page.get_by_label("Name", exact=True).fill(unique("nightly"))
    page.get_by_role("button", name="Create the token").click()
    expect(page.get_by_text("It is shown here once")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
