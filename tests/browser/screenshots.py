"""Take the pictures of the documentation: each page, wide and narrow, light and dark (`make screenshots`).

`python -m tests.browser.screenshots` takes those that the documentation shows, into `docs/images`; with a folder
named, all there are, to look at.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import services
from tests.browser.conftest import FLAGS, NARROW, WIDE, sign_in
from tests.browser.installation import ROOT, Installation

SIZES = {"": WIDE, "-phone": NARROW}
DOCUMENTED = {"overview", "promote", "live", "history", "connect", "models"}
SCHEMES = ("light", "dark")
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


def talk(page: Page, site: Installation) -> None:
    page.goto("/p/default/talk/?environment=experimental")
    page.get_by_label("Message").fill("I lost my card")
    page.get_by_label("Message").press("Enter")
    expect(page.get_by_text("Anything else?")).to_be_visible()


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
    "all-history": at("/p/default/history/"),
    "nothing": at("/p/default/nothing/"),
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


def main(folder: Path, names: Collection[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=services.browser(), args=FLAGS)
        for size in SIZES:
            for scheme in SCHEMES:
                shoot(browser, folder, names, size, scheme)
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), {"sign-in", *SHOTS})
    else:
        main(ROOT / "docs" / "images", DOCUMENTED)
