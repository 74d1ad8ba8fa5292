"""The pages that people look at all day as a real browser meets them for the first time, with years of history: bytes
as they are sent, when the largest part is painted, and what moves by itself. Wide, and on a phone."""

from collections.abc import Iterator
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from tests import services
from tests.bench.installation import Installation, installation
from tests.bench.table import Row, at_most, skipped
from tests.browser.conftest import FLAGS, NARROW, WIDE
from tests.browser.visits import Visit, visit

PAGES = {"overview": "/p/default/", "models page": "/p/default/models/"}
SCREENS = {"wide": WIDE, "phone": NARROW}
KILOBYTES, LARGEST, SHIFTS = 60, 500, 0
VISITS = 7


def rows(*, quick: bool) -> Iterator[Row]:
    missing = services.missing("chromium")
    if missing:
        yield skipped("the first visit of pages", missing)
        return
    with installation() as control_plane:
        control_plane.seed("many(1000, 10_000)" if quick else "many()")
        control_plane.seed("promoted()")
        session = control_plane.seed("session()")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=services.browser(), args=FLAGS)
            for name, path in PAGES.items():
                for screen, viewport in SCREENS.items():
                    visits = [_first(browser, control_plane, session, path, viewport) for _ in range(VISITS)]
                    yield from _told(f"{name}, {screen}", visits)
            browser.close()


def _first(browser: Browser, control_plane: Installation, session: str, path: str, viewport: dict[str, int]) -> Visit:
    """A visit with nothing in the cache."""
    context = browser.new_context(base_url=control_plane.url, viewport=viewport)
    context.add_cookies([{"name": "sessionid", "value": session, "url": control_plane.url}])
    visited = visit(context, path)
    context.close()
    return visited


def _told(what: str, visits: list[Visit]) -> Iterator[Row]:
    largest = [one.largest for one in visits]
    heaviest = max(one.kilobytes for one in visits)
    requests = f"{len(visits[0].transfer.urls)} requests"
    yield at_most(f"{what}: bytes of the first visit", heaviest, KILOBYTES, unit=" KB", measured=requests)
    spread = f"{len(visits)} first visits, worst {max(largest):.0f} ms"
    yield at_most(f"{what}: largest contentful paint, median", median(largest), LARGEST, unit=" ms", measured=spread)
    yield at_most(f"{what}: shifts of its layout", sum(len(one.shifts) for one in visits), SHIFTS)
