"""A browser before a whole installation. Each page fails its test by an error in the console or a foreign request."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests import services
from tests.browser.installation import Installation

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PASSWORD = "otters-swim-in-rivers"
# Milliseconds until what a page is to do, or to show, counts as missing. How fast it is is measured by `make bench`.
PATIENCE = 15_000
expect.set_options(timeout=PATIENCE)
WIDE, NARROW = {"width": 1360, "height": 860}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Installation]:
    """Production with three Rasa servers, experimental with two, the worker with one; all poll."""
    with Installation(Path(tmp_path_factory.mktemp("home"))) as installation:
        for environment, count in (("production", 3), ("experimental", 2)):
            for number in range(1, count + 1):
                installation.connect(environment, number)
        installation.connect("worker", 1, tag="production")
        yield installation


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=services.browser(), args=FLAGS)
        yield launched
        launched.close()


class Watched:
    """What must not happen on a page: errors in its console (CSP violations are told there), requests elsewhere."""

    def __init__(self, context: BrowserContext, host: str) -> None:
        self.wrong: list[str] = []
        # htmx tells of a request that ended with its page, when one goes on to the next.
        self.expected: list[str] = ["htmx:afterRequest, ", "htmx:sendError, ", "htmx:sendAbort, "]
        context.on("console", lambda line: self.note(line.text) if line.type == "error" else None)
        context.on("weberror", lambda error: self.note(str(error.error)))
        context.on("request", lambda request: self._foreign(request.url, host))

    def _foreign(self, url: str, host: str) -> None:
        address = urlsplit(url)
        if address.scheme in ("http", "https") and address.netloc != host:
            self.note(f"a request to {url}")

    def note(self, text: str) -> None:
        if not any(expected in text for expected in self.expected):
            self.wrong.append(text)


@pytest.fixture
def contexts(site, browser):
    """Makes a browser of its own; all of them are watched."""
    made: list[tuple[BrowserContext, Watched]] = []

    def make(**options: object) -> tuple[BrowserContext, Watched]:
        context = browser.new_context(**{"viewport": WIDE, "base_url": site.url, **options})
        context.set_default_timeout(PATIENCE)
        made.append((context, Watched(context, urlsplit(site.url).netloc)))
        return made[-1]

    yield make
    for context, _ in made:
        context.close()
    assert [wrong for _, watched in made for wrong in watched.wrong] == []


def sign_in(page: Page, name: str = "ana") -> Page:
    page.goto("/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Overview").wait_for()
    return page


@pytest.fixture(scope="module")
def anas_session(site, browser):
    """Ana's cookies, so that only the tests of signing in wait for it."""
    context = browser.new_context(base_url=site.url)
    sign_in(context.new_page())
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def ana_at(contexts, anas_session):
    """Ana's browser, signed in, before the overview."""

    def at(**options: object) -> Page:
        opened = contexts(storage_state=anas_session, **options)[0].new_page()
        opened.goto("/p/default/")
        return opened

    return at


@pytest.fixture
def page(ana_at) -> Page:
    return ana_at()
