"""Take a picture of each page, wide and narrow, light and dark, into `screenshots/` (`make screenshots`), to look at.

Those that the documentation shows go into `docs/images` as well. Names of pictures after the module take these alone.
"""

import re
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Collection
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import services
from tests.browser.conftest import FLAGS, NARROW, WIDE, sign_in
from tests.browser.installation import GUEST_PAGE, ROOT, Installation

SIZES = {"": WIDE, "-phone": NARROW}
FOLDER, IMAGES = ROOT / "screenshots", ROOT / "docs" / "images"
DOCUMENTED = {"overview", "promote", "live", "history", "connect", "models"}
SCHEMES = ("light", "dark")
SHOWN = {f"{size}-{scheme}".strip("-") for size in ("", "phone") for scheme in SCHEMES}
PRODUCTION = "/p/default/environments/production/"


def at(path: str) -> Callable[[Page, Installation], None]:
    return lambda page, _: (page.goto(path), None)[1]


def rolling_out(page: Page, site: Installation) -> None:
    """One of two replicas has not polled since brisk-otter was promoted to experimental."""
    poller = site.pollers["rasa-experimental-2"]
    page.goto("/p/default/")
    poller.busy = True
    page.goto("/p/default/environments/experimental/promote/?model=brisk-otter")
    page.get_by_label("Why").fill("nightly")
    page.get_by_role("button", name="Promote to experimental").click()
    expect(page.get_by_text("1 of 2 replicas")).to_be_visible()


def overview(page: Page, site: Installation) -> None:
    rolling_out(page, site)
    page.goto("/p/default/")
    expect(page.locator("#card-experimental")).to_contain_text("Rolling out 1/2")


def menu(page: Page, site: Installation) -> None:
    site.pollers["rasa-experimental-2"].busy = False
    page.goto("/p/default/")
    row = page.get_by_role("row", name=re.compile("brisk-otter"))
    row.get_by_label("Actions for brisk-otter").click()
    expect(row.get_by_role("link", name="Download")).to_be_visible()
    row.locator(".menu-body a").first.hover()


def promote(page: Page, site: Installation) -> None:
    page.goto("/p/default/")
    page.get_by_label("Actions for brisk-otter").click()
    page.locator(".menu-body a", has_text="production").click()
    page.get_by_label("Type production to confirm").press_sequentially("producti")


def progress(page: Page, site: Installation) -> None:
    page.goto("/p/default/")
    expect(page.locator("#card-experimental")).to_contain_text("In sync 2/2")
    site.pollers["rasa-experimental-2"].busy = True
    page.locator("#card-experimental").get_by_text("Promote…").click()
    page.locator("dialog .pick a").first.click()
    page.get_by_role("button", name="Promote to experimental").click()
    expect(page.get_by_text("1 of 2 replicas")).to_be_visible()


def live(page: Page, site: Installation) -> None:
    """What became of `progress`."""
    site.pollers["rasa-experimental-2"].busy = False
    expect(page.get_by_text(re.compile("Live: 2 of 2"))).to_be_visible()


def rollback(page: Page, site: Installation) -> None:
    page.goto("/p/default/")
    page.locator("#production-rollback").click()
    expect(page.get_by_role("button", name="Roll back", exact=True)).to_be_visible()


def upload(page: Page, site: Installation) -> None:
    page.goto("/p/default/upload/")
    page.locator("input[type=file]").set_input_files(
        {"name": "not-a-model.tar.gz", "mimeType": "application/gzip", "buffer": b"hello"}
    )
    expect(page.locator(".upload .state")).to_contain_text("gzip")


def say(page: Page, *texts: str) -> None:
    for text in texts:
        before = page.locator(".bots").count()
        page.get_by_label("Message").fill(text)
        page.get_by_label("Message").press("Enter")
        expect(page.locator(".bots")).not_to_have_count(before)


def talk(page: Page, site: Installation) -> None:
    page.goto("/p/default/talk/?environment=experimental")
    say(page, "I lost my card", "qwertz")


def beside(page: Page, site: Installation) -> None:
    page.goto("/p/default/talk/?environment=production")
    page.get_by_role("button", name="New conversation").click()
    page.goto("/p/default/talk/?environment=experimental&beside=production")
    page.get_by_role("button", name="New conversation").click()
    say(page, "I lost my card")


def share(page: Page, site: Installation) -> None:
    page.goto("/p/default/talk/?environment=experimental")
    page.locator("#share").click()
    expect(page.get_by_role("dialog")).to_contain_text("The link to experimental")


CONVERSATIONS = "/p/default/conversations/"


def transcript(page: Page, site: Installation) -> None:
    talk(page, site)
    page.goto(f"{CONVERSATIONS}?environment=experimental&text=card")
    page.locator("tbody th a").first.click()
    page.get_by_text("Mark as an example").last.click()


def forget(page: Page, site: Installation) -> None:
    transcript(page, site)
    page.locator("#forget").click()
    expect(page.get_by_role("dialog")).to_contain_text("are removed here")


def audit(page: Page, site: Installation) -> None:
    page.goto("/p/default/audit/")
    page.locator(".timeline details > summary").nth(1).click()


def account(page: Page, site: Installation) -> None:
    page.goto("/account/")
    page.get_by_text("New token").click()


def own_token(page: Page, site: Installation) -> None:
    account(page, site)
    page.get_by_label("Name", exact=True).fill("nightly")
    page.get_by_role("button", name="Create the token").click()
    expect(page.get_by_text("It is shown here once")).to_be_visible()


def guest(page: Page, site: Installation) -> None:
    page.goto(GUEST_PAGE)
    page.get_by_label("Message").fill("I lost my card")
    page.get_by_label("Message").press("Enter")
    expect(page.get_by_text("Anything else?")).to_be_visible()


ACCESS = "/p/default/access/"


def role(page: Page, site: Installation) -> None:
    """A grant is ticked, and the page says what that changes."""
    page.goto(f"{ACCESS}roles/developer/")
    page.locator("input[name=grant][value='environments.production.write']").check()
    expect(page.locator("#role-preview")).to_contain_text("will be able to promote to production: ben")


def invitation(page: Page, site: Installation) -> None:
    page.goto(f"{ACCESS}new-user/")
    page.get_by_label("User name").fill(f"nora-{uuid.uuid4().hex[:4]}")
    page.get_by_role("button", name="Create the user").click()
    expect(page.locator("#link")).to_contain_text("/invitation/")


def deactivate(page: Page, site: Installation) -> None:
    page.goto(f"{ACCESS}users/ben/")
    page.locator("#deactivate").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nobody acts as ben")


def reset(page: Page, site: Installation) -> None:
    page.goto(f"{ACCESS}users/ben/")
    page.locator("#reset").click()
    expect(page.get_by_role("dialog")).to_contain_text("The password of ben ends now")


SETTINGS = "/p/default/settings/"


def webhook(page: Page, site: Installation) -> None:
    page.goto(SETTINGS)
    page.get_by_role("link", name="team channel").click()
    expect(page.get_by_text("It answered with the status 500.")).to_be_visible()


def webhook_secret(page: Page, site: Installation) -> None:
    page.goto(f"{SETTINGS}new-webhook/")
    page.get_by_label("Name", exact=True).fill(f"deploy log {uuid.uuid4().hex[:4]}")
    page.get_by_label("URL, or address of e-mail").fill("https://deploys.example.com/hook")
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_text("It is shown here once")).to_be_visible()


def remove_webhook(page: Page, site: Installation) -> None:
    webhook(page, site)
    page.locator("#remove").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nothing is sent to")


def search(page: Page, site: Installation) -> None:
    page.goto("/p/default/")
    if page.locator("#search").is_visible():
        page.locator("#search").press_sequentially("otter")
        expect(page.locator("#found a").first).to_be_visible()
    else:
        page.goto("/p/default/search/?q=otter")


def keys(page: Page, site: Installation) -> None:
    page.goto("/p/default/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Go to")


def container_log(page: Page, site: Installation) -> None:
    page.goto(f"{PRODUCTION}engine/")
    page.get_by_role("link", name="Log").first.click()
    expect(page.get_by_text("Loaded model")).to_be_visible()


def pipeline_run(page: Page, site: Installation) -> None:
    page.goto("/p/default/pipelines/nightly/")
    page.get_by_role("link", name="1", exact=True).first.click()
    expect(page.get_by_text("McNemar")).to_be_visible()


def restored(page: Page, site: Installation) -> None:
    """As after a restore; the last picture, for nothing is promoted from then on."""
    site.freeze()
    page.goto("/p/default/restored/")
    expect(page.get_by_text("Backup", exact=True).first).to_be_visible()


SHOTS: dict[str, Callable[[Page, Installation], None]] = {
    "overview": overview,
    "menu": menu,
    "promote": promote,
    "progress": progress,
    "live": live,
    "rollback": rollback,
    "history": at(PRODUCTION),
    "replicas": at(f"{PRODUCTION}replicas/"),
    "connect": at(f"{PRODUCTION}connect/"),
    "settings": at(f"{PRODUCTION}settings/"),
    "models": at("/p/default/models/"),
    "model": at("/p/default/models/brisk-otter/"),
    "upload": upload,
    "training": at("/p/default/training/"),
    "talk": talk,
    "beside": beside,
    "share": share,
    "conversations": at(CONVERSATIONS),
    "conversations-filtered": at(f"{CONVERSATIONS}?most=0.2"),
    "transcript": transcript,
    "transcript-away": at(f"{CONVERSATIONS}in/production/?id=c-90411"),
    "forget": forget,
    "marked": at(f"{CONVERSATIONS}examples/"),
    "guest": guest,
    "all-history": at("/p/default/history/"),
    "audit": audit,
    "account": account,
    "own-token": own_token,
    "access": at(ACCESS),
    "user": at(f"{ACCESS}users/ben/"),
    "service-account": at(f"{ACCESS}users/ci-nightly/"),
    "deactivate": deactivate,
    "reset": reset,
    "new-user": at(f"{ACCESS}new-user/"),
    "invitation": invitation,
    "roles": at(f"{ACCESS}roles/"),
    "role": role,
    "role-admin": at(f"{ACCESS}roles/admin/"),
    "new-role": at(f"{ACCESS}new-role/?copy=developer"),
    "tokens": at(f"{ACCESS}tokens/"),
    "who-may": at(f"{ACCESS}who-may/production/"),
    "webhooks": at(SETTINGS),
    "webhook": webhook,
    "new-webhook": at(f"{SETTINGS}new-webhook/"),
    "webhook-secret": webhook_secret,
    "remove-webhook": remove_webhook,
    "retention": at(f"{SETTINGS}retention/"),
    "evaluations": at("/p/default/evaluations/"),
    "evaluation": at("/p/default/evaluations/1/"),
    "compare": at("/p/default/evaluations/compare/?a=4&b=5"),
    "evaluate": at("/p/default/models/brisk-otter/evaluate/"),
    "pipelines": at("/p/default/pipelines/"),
    "pipeline": at("/p/default/pipelines/nightly/"),
    "pipeline-run": pipeline_run,
    "new-pipeline": at("/p/default/new-pipeline/"),
    "queue": at("/p/default/training/queue/"),
    "job": at("/p/default/training/jobs/1/"),
    "repositories": at("/p/default/training/repositories/"),
    "repository": at("/p/default/training/repositories/otter-bot/"),
    "engine": at(f"{PRODUCTION}engine/"),
    "container-log": container_log,
    "search": search,
    "keys": keys,
    "guide": at("/guide/"),
    "guide-chapter": at("/guide/operations/#restore"),
    "styleguide": at("/styleguide/"),
    "nothing": at("/p/default/nothing/"),
    "restored": restored,
}


def connect_all(site: Installation) -> None:
    for environment, count, tag in (("production", 3, ""), ("experimental", 2, ""), ("worker", 1, "production")):
        for number in range(1, count + 1):
            site.connect(environment, number, tag)


def shoot(browser: Browser, folder: Path, names: Collection[str], size: str, scheme: str) -> None:
    """All pictures of one size and scheme, of an installation of their own: they promote."""
    with tempfile.TemporaryDirectory() as home, Installation(Path(home)) as site:
        connect_all(site)
        context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, base_url=site.url)
        page = context.new_page()
        page.goto("/sign-in/")
        if "sign-in" in names:
            page.screenshot(path=folder / f"sign-in{size}-{scheme}.png")
        sign_in(page)
        expect(page.locator("#card-production")).to_contain_text("In sync 3/3", timeout=15_000)
        for name, prepare in SHOTS.items():
            prepare(page, site)
            page.mouse.move(0, 0) if name != "menu" else None
            if name in names:
                page.screenshot(path=folder / f"{name}{size}-{scheme}.png")
        context.close()


def main(names: Collection[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=services.browser(), args=FLAGS)
        for size in SIZES:
            for scheme in SCHEMES:
                shoot(browser, FOLDER, names, size, scheme)
        browser.close()
    for name in DOCUMENTED & set(names):
        for picture in FOLDER.glob(f"{name}-*.png"):
            if picture.stem.removeprefix(f"{name}-") in SHOWN:
                shutil.copy(picture, IMAGES)


if __name__ == "__main__":
    main(sys.argv[1:] or {"sign-in", *SHOTS})
