"""The work of each built-in role, walked to its end: ana administers, ben develops, tom tests."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import sign_in
from tests.browser.test_pages import PAGES, new_archive, promote, upload
from tests.browser.test_talk import say

pytestmark = pytest.mark.chromium

FOR_DEVELOPERS = ["Overview", "Models", "Training", "Pipelines", "Talk", "Conversations", "History"]
RAILS = {
    "ana": [*FOR_DEVELOPERS, "Access", "Audit", "Settings"],
    "ben": FOR_DEVELOPERS,
    "tom": ["Overview", "Models", "Talk", "History"],
}
ASK = re.compile(r"This needs the grant [\w.]+\. Ask an administrator for it\.")
# Where one may not look, by the grant that it takes.
CLOSED = {
    "ben": {"audit/": "audit.read", "access/": "users.read", "settings/": "settings.read"},
    "tom": {
        "training/": "training.read",
        "evaluations/": "evaluations.read",
        "pipelines/": "pipelines.read",
        "conversations/": "conversations.read",
        "audit/": "audit.read",
        "access/": "users.read",
        "settings/": "settings.read",
        "upload/": "models.write",
    },
}


@pytest.fixture
def signed_in(contexts):
    """Somebody's browser, before the overview. Refusals that a test looks for are no errors of the page."""

    def at(name: str, **options: object):
        context, watched = contexts(**options)
        watched.expected.append("403")
        return sign_in(context.new_page(), name)

    return at


def whys(page) -> dict[str, str]:
    """Why the buttons of the page that are off are off."""
    off = page.locator("main [aria-disabled=true]")
    return dict(off.evaluate_all("(all) => all.map((one) => [one.id || one.textContent.trim(), one.title])"))


@pytest.mark.parametrize("name", RAILS)
def test_the_rail_lists_what_one_may_see_and_the_rest_says_whom_to_ask(signed_in, name):
    page = signed_in(name)
    assert page.get_by_role("navigation", name="Pages").locator("a:visible").all_inner_texts() == RAILS[name]
    for path, grant in CLOSED.get(name, {}).items():
        page.goto(f"/p/default/{path}")
        expect(page.locator("main")).to_contain_text(f"Ask an administrator of default for {grant}.")


def test_a_tester_talks_and_sees_what_is_where_and_changes_nothing(signed_in):
    page = signed_in("tom")
    off = whys(page)
    assert {"Upload model", "production-promote", "production-rollback", "experimental-promote"} <= off.keys()
    page.get_by_role("row", name=re.compile("late-ember")).get_by_role("link", name="late-ember").click()
    expect(page.get_by_text("SHA-256")).to_be_visible()
    off |= whys(page)
    assert {"evaluate", "delete", "tag", "to-production", "to-experimental"} <= off.keys()
    assert {button: why for button, why in off.items() if not ASK.fullmatch(why)} == {}
    expect(page.locator("main form[method=post]")).to_have_count(0)
    page.locator("#to-experimental").click(force=True)
    expect(page.locator("#toast")).to_have_text(ASK)

    page.goto("/p/default/history/")
    expect(page.locator(".timeline")).to_contain_text("holiday intents")
    page.goto("/p/default/talk/?environment=experimental")
    say(page, "I lost my card")
    expect(page.locator(".turn").last.locator(".heard")).to_contain_text("block_card")


def test_a_developer_uploads_tags_tries_trains_evaluates_and_talks_but_does_not_go_live(signed_in):
    page = signed_in("ben")
    model = upload(page)
    page.get_by_role("link", name="Open it").click()
    page.locator("#tag").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Tag", exact=True).fill("sprint-7")
    dialog.get_by_role("button", name="Tag it").click()
    expect(page.locator(".facts .chip")).to_contain_text("sprint-7")

    promote(page, model).get_by_role("button", name="Promote to experimental").click()
    expect(dialog.get_by_text(re.compile("Live: 2 of 2"))).to_be_visible()
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    page.locator("#to-production").click(force=True)
    expect(page.locator("#toast")).to_have_text(re.compile(r"environments\.production\.write"))
    page.goto(f"/p/default/environments/production/promote/?model={model}")
    expect(page.locator("main")).to_contain_text("Ask an administrator of default for environments.production.write.")
    expect(page.get_by_role("button", name="Promote to production")).to_have_attribute("aria-disabled", "true")

    page.goto("/p/default/training/")
    page.get_by_label("Name of the model").fill(f"{model}-retrained")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator(".messages")).to_contain_text("is queued")
    expect(page.get_by_role("row", name=re.compile(f"{model}-retrained"))).to_contain_text("Queued")
    page.goto(f"/p/default/models/{model}/")
    page.locator("#evaluate").click()
    dialog.get_by_role("button", name="Evaluate").click()
    expect(page.get_by_text("The test is not over yet")).to_be_visible()

    page.goto("/p/default/talk/?environment=experimental")
    say(page, "I lost my card")
    expect(page.locator(".said.bot").first).to_contain_text("Your card is blocked")


def test_an_administrator_goes_live_goes_back_invites_a_colleague_and_reads_it_all_in_the_audit(signed_in):
    page = signed_in("ana")
    model = upload(page)
    dialog = promote(page, model, "production")
    dialog.get_by_label("Type production to confirm").press_sequentially("production")
    dialog.get_by_role("button", name="Promote to production").click()
    expect(dialog.get_by_text(re.compile("Live: 3 of 3"))).to_be_visible()
    page.goto("/p/default/")
    page.locator("#production-rollback").click()
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog.get_by_text(re.compile("Live: 3 of 3"))).to_be_visible()

    name = f"nel-{uuid.uuid4().hex[:6]}"
    page.goto("/p/default/access/new-user/")
    page.get_by_label("User name").fill(name)
    page.locator("input[name=role][value=tester]").uncheck()
    page.locator("input[name=role][value=developer]").check()
    page.get_by_role("button", name="Create the user").click()
    expect(page.locator("#link")).to_contain_text("/")

    page.goto("/p/default/audit/?actor=ana")
    told = page.locator(".timeline.audit")
    for sentence in (
        f"ana added the model {model}",
        f"ana promoted {model} to production, from",
        re.compile(rf"ana rolled production back to [\w-]+, from {model}"),
        f"ana made the account {name}",
    ):
        expect(told).to_contain_text(sentence)


# Without a script


@pytest.mark.parametrize("name", ["ana", "ben"])
def test_without_a_script_one_signs_in_uploads_promotes_goes_back_trains_and_talks(signed_in, name):
    page = signed_in(name, java_script_enabled=False)
    sent = new_archive()
    page.goto("/p/default/upload/")
    page.locator("input[type=file]").set_input_files(sent)
    page.get_by_role("button", name="Upload").click()
    page.locator("#to-experimental").click()
    page.get_by_label("Why").fill("no script here")
    page.get_by_role("button", name="Promote to experimental").click()
    expect(page.get_by_role("heading", name=re.compile("To experimental"))).to_be_visible()
    page.goto("/p/default/")
    page.locator("#experimental-rollback").click()
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("heading", name=re.compile("Rolling experimental back"))).to_be_visible()

    page.goto("/p/default/training/")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator(".messages")).to_contain_text("is queued")
    page.goto("/p/default/talk/?environment=experimental")
    page.get_by_label("Message").fill("my card")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said.user").last).to_have_text("my card")


def test_without_a_script_a_protected_environment_asks_for_its_name_too(contexts, anas_session):
    context, watched = contexts(storage_state=anas_session, java_script_enabled=False)
    watched.expected.append("422")
    page = context.new_page()
    page.goto("/p/default/environments/production/promote/?model=brisk-otter")
    page.get_by_label("Type production to confirm").fill("experimental")
    page.get_by_role("button", name="Promote to production").click()
    expect(page.get_by_role("alert")).to_contain_text("production")
    page.get_by_label("Type production to confirm").fill("production")
    page.get_by_role("button", name="Promote to production").click()
    expect(page.get_by_role("heading", name=re.compile("To production: brisk-otter"))).to_be_visible()


def test_without_a_script_every_page_is_read_and_offers_nothing_that_needs_one(contexts, anas_session):
    page = contexts(storage_state=anas_session, java_script_enabled=False)[0].new_page()
    useless = {}
    for path in PAGES:
        assert page.goto(path).ok, path
        expect(page.get_by_role("heading").first).to_be_visible()
        if page.locator("[data-script]:visible, .copy:visible").count():
            useless[path] = page.locator("[data-script]:visible, .copy:visible").first.inner_text()
    assert useless == {}
