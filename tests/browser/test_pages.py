"""What a person does with the pages, in a real browser before a whole installation."""

import re
import uuid
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.browser.bank import archive
from tests.browser.conftest import NARROW, sign_in
from tests.browser.installation import GUEST_PAGE, Poller

pytestmark = pytest.mark.chromium

PAGES = (
    "/p/default/",
    "/p/default/models/",
    "/p/default/models/brisk-otter/",
    "/p/default/upload/",
    "/p/default/training/",
    "/p/default/talk/?environment=experimental",
    "/p/default/talk/?environment=experimental&beside=production",
    "/p/default/talk/share/",
    "/p/default/conversations/",
    "/p/default/conversations/in/production/?id=c-90411",
    "/p/default/conversations/examples/",
    GUEST_PAGE,
    "/p/default/history/",
    "/p/default/audit/",
    "/account/",
    "/p/default/environments/production/",
    "/p/default/environments/production/replicas/",
    "/p/default/environments/production/connect/",
    "/p/default/environments/production/settings/",
    "/p/default/environments/production/promote/?model=brisk-otter",
    "/p/default/environments/production/rollback/",
    "/p/default/access/",
    "/p/default/access/users/ben/",
    "/p/default/access/users/ci-nightly/",
    "/p/default/access/new-user/",
    "/p/default/access/roles/",
    "/p/default/access/roles/developer/",
    "/p/default/access/roles/admin/",
    "/p/default/access/users/ben/link/",
    "/p/default/access/users/ben/deactivate/",
    "/p/default/access/new-role/?copy=developer",
    "/p/default/access/tokens/",
    "/p/default/access/who-may/production/",
)


def new_archive() -> dict[str, object]:
    """A model that nobody has seen yet, as a file of the browser."""
    name = f"merry-finch-{uuid.uuid4().hex[:6]}"
    content = archive(name, datetime.now(UTC), intents=30, slots=5)
    return {"name": f"{name}.tar.gz", "mimeType": "application/gzip", "buffer": content}


def upload(page) -> str:
    """Upload a new model through the page; its name."""
    sent = new_archive()
    page.goto("/p/default/upload/")
    page.locator("input[type=file]").set_input_files(sent)
    expect(page.locator(".upload .state")).to_have_text("Stored. Open it to promote it")
    return str(sent["name"]).removesuffix(".tar.gz")


def promote(page, model: str, environment: str = "experimental"):
    """Promote through the dialog of the model's page, up to the last click."""
    page.goto(f"/p/default/models/{model}/")
    page.locator(f"#to-{environment}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=f"Promote to {environment}")).to_be_visible()
    return dialog


def test_upload_promote_and_roll_back_by_clicks(page):
    model = upload(page)
    page.get_by_role("link", name="Open it").click()
    page.locator("#to-experimental").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("finches sing")
    dialog.get_by_role("button", name="Promote to experimental").click()
    expect(dialog.get_by_text(re.compile(r"Live: 2 of 2 replicas in \d+ s"))).to_be_visible()
    expect(dialog.get_by_text("rasa-experimental-1")).to_be_visible()
    dialog.get_by_role("button", name="Close", exact=True).last.click()

    page.goto("/p/default/")
    card = page.locator("#card-experimental")
    expect(card).to_contain_text(model)
    card.get_by_text("Roll back…").click()
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog.get_by_text(re.compile("Live: 2 of 2"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).not_to_contain_text(model)


def test_a_card_follows_what_others_do(page, contexts):
    model = upload(page)
    page.goto("/p/default/")
    other = sign_in(contexts()[0].new_page(), "mia")
    promote(other, model).get_by_role("button", name="Promote to experimental").click()
    expect(page.locator("#card-experimental")).to_contain_text(model)
    expect(page.locator("#card-experimental")).to_contain_text("In sync 2/2")
    expect(page.locator("#lately")).to_contain_text(model)


def test_a_protected_environment_waits_for_its_name(page):
    model = upload(page)
    dialog = promote(page, model, "production")
    button = dialog.get_by_role("button", name="Promote to production")
    expect(button).to_be_disabled()
    dialog.get_by_label("Type production to confirm").press_sequentially("production")
    expect(button).to_be_enabled()
    button.click()
    expect(dialog.get_by_text(re.compile("Live: 3 of 3"))).to_be_visible()


def test_who_promoted_meanwhile_is_named_and_the_dialog_asks_again(contexts):
    context, watched = contexts()
    watched.expected.append("409")
    page = sign_in(context.new_page())
    first, second = upload(page), upload(page)
    dialog = promote(page, first)
    other = sign_in(contexts()[0].new_page(), "mia")
    promote(other, second).get_by_role("button", name="Promote to experimental").click()
    expect(other.get_by_role("dialog")).to_contain_text(re.compile("Live|replicas"))
    dialog.get_by_role("button", name="Promote to experimental").click()
    expect(dialog.get_by_role("alert")).to_contain_text(f"mia promoted {second} meanwhile")
    dialog.get_by_role("button", name="Promote to experimental").click()
    expect(dialog.get_by_text(re.compile("Live: 2 of 2"))).to_be_visible()


def test_a_stuck_replica_is_told_with_its_reason_and_the_way_out(page, site):
    poller: Poller = site.pollers["rasa-experimental-2"]
    model = upload(page)
    dialog = promote(page, model)
    poller.broken = True
    try:
        dialog.get_by_role("button", name="Promote to experimental").click()
        expect(dialog.get_by_role("alert")).to_contain_text("Stuck")
        expect(dialog).to_contain_text("did not load it")
        dialog.get_by_role("link", name="Replicas and retry").click()
        row = page.get_by_role("row", name=re.compile("rasa-experimental-2"))
        expect(row).to_contain_text("Stuck")
        poller.broken = False
        row.get_by_role("button", name="Retry").click()
        expect(page.get_by_role("row", name=re.compile("rasa-experimental-2"))).to_contain_text("Serving")
    finally:
        poller.broken = False


def test_a_refused_upload_says_exactly_why(contexts):
    context, watched = contexts()
    watched.expected.append("422")
    page = sign_in(context.new_page())
    page.goto("/p/default/upload/")
    page.locator("input[type=file]").set_input_files(
        {"name": "not-a-model.tar.gz", "mimeType": "application/gzip", "buffer": b"hello"}
    )
    expect(page.locator(".upload .state")).to_contain_text("gzip")


def test_files_are_dropped(page):
    sent = new_archive()
    page.goto("/p/default/upload/")
    transfer = page.evaluate_handle(
        """([name, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name));
            return transfer;
        }""",
        [sent["name"], list(sent["buffer"])],
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": transfer})
    expect(page.locator(".upload .state")).to_have_text("Stored. Open it to promote it")


def test_the_menu_of_a_model(page):
    row = page.get_by_role("row", name=re.compile("late-ember"))
    row.get_by_label("Actions for late-ember").click()
    expect(row.locator(".menu-body a", has_text="production")).to_be_visible()
    with page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "late-ember.tar.gz"
    page.keyboard.press("Escape")
    expect(row.locator(".menu-body")).to_be_hidden()


def test_talk_to_a_bot(page):
    page.goto("/p/default/talk/?environment=experimental")
    page.get_by_label("Message").fill("I lost my card")
    page.get_by_label("Message").press("Enter")
    expect(page.locator(".said.user")).to_have_text("I lost my card")
    expect(page.locator(".said.bot").first).to_contain_text("Your card is blocked")
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".said.user").last).to_have_text("/affirm")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_guest_talks_without_signing_in(contexts, scripts):
    context, _ = contexts(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(GUEST_PAGE)
    expect(page.get_by_role("heading", name="Otto of Otter Bank")).to_be_visible()
    page.get_by_label("Message").fill("I lost my card")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said.bot").first).to_contain_text("Your card is blocked")
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".said.user").last).to_have_text("/affirm")
    page.get_by_role("button", name="Start again").click()
    expect(page.locator(".said")).to_have_count(0)


def test_copying(ana_at):
    page = ana_at(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/p/default/environments/production/connect/")
    page.locator(".copy").first.click()
    assert page.evaluate("navigator.clipboard.readText()").startswith("models:\n  url: ")


def test_the_theme_is_switched_and_kept(page):
    page.get_by_title("Light, dark or the system's").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_hidden_tab_asks_for_nothing(page):
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    page.wait_for_timeout(500)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(4_000)
    assert asked == []


def test_it_works_without_a_script(ana_at):
    page = ana_at(java_script_enabled=False)
    sent = new_archive()
    page.goto("/p/default/upload/")
    page.locator("input[type=file]").set_input_files(sent)
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".messages")).to_contain_text("is stored")
    page.locator("#to-experimental").click()
    page.get_by_role("button", name="Promote to experimental").click()
    expect(page.get_by_role("heading", name=re.compile("To experimental"))).to_be_visible()
    page.goto("/p/default/")
    page.locator("#experimental-rollback").click()
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("heading", name=re.compile("Rolling experimental back"))).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_every_page_without_scrolling_sideways(ana_at, path):
    page = ana_at(viewport=NARROW)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]


def test_at_night_a_rollback_is_two_taps_on_a_phone(ana_at, site):
    page = ana_at(viewport=NARROW, has_touch=True)
    page.locator("#production-rollback").tap()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").tap()
    expect(page.get_by_role("dialog").get_by_text(re.compile("Live: 3 of 3"))).to_be_visible()
