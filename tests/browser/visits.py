"""What a visit of a page costs who waits for it: bytes over the network, the largest paint, what jumps about."""

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page

KB = 1024
# Of a shift: how bad it is, and the elements that moved.
OBSERVE = """
(() => {
    const shifts = [];
    let largest = 0;
    const watch = (type, note) => {
        const observer = new PerformanceObserver((list) => list.getEntries().forEach(note));
        observer.observe({ type, buffered: true });
        return () => observer.takeRecords().forEach(note);
    };
    const words = ({ node }) => (node?.outerHTML ?? node?.parentElement?.outerHTML ?? "").slice(0, 120);
    const flush = [
        watch("layout-shift", (entry) => shifts.push([entry.value, ...entry.sources.map(words)].join(" | "))),
        watch("largest-contentful-paint", (entry) => { largest = entry.startTime; }),
    ];
    window.visit = () => {
        for (const take of flush) take();
        return { shifts, largest };
    };
})();
"""
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
# Browsers without a window show no icon and do not ask for it.
ICON = "async () => { await (await fetch(document.querySelector('link[rel=icon]').href)).arrayBuffer(); }"
# As if the browser showed none of the parts that refresh themselves: all of them are sent and put in place anew.
REFRESH = """() => {
    for (const piece of document.querySelectorAll("[data-digest]")) piece.dataset.digest = "none";
    for (const live of document.querySelectorAll("[data-live]")) htmx.trigger(live, "refresh");
}"""
REFRESHED = "() => ![...document.querySelectorAll('[data-digest]')].some((piece) => piece.dataset.digest === 'none')"


@dataclass
class Transfer:
    """What the network of a page carried, headers included, as it was sent: compressed."""

    urls: list[str] = field(default_factory=list)
    bytes: int = 0

    def follow(self, session: CDPSession) -> None:
        session.on("Network.requestWillBeSent", lambda event: self.urls.append(event["request"]["url"]))
        session.on("Network.loadingFinished", self._finished)
        session.send("Network.enable")

    def _finished(self, event: dict[str, Any]) -> None:
        self.bytes += int(event["encodedDataLength"])


@dataclass(frozen=True)
class Visit:
    """`largest` is the time of the largest paint in milliseconds; `shifts` tell what moved by itself."""

    page: Page
    transfer: Transfer
    largest: float
    shifts: list[str]

    @property
    def kilobytes(self) -> float:
        return self.transfer.bytes / KB


def visit(context: BrowserContext, path: str) -> Visit:
    """A page opened in a new tab, until nothing is loaded any more. It is a first visit where the context is new."""
    page, transfer = context.new_page(), Transfer()
    page.add_init_script(OBSERVE)
    transfer.follow(context.new_cdp_session(page))
    page.goto(path, wait_until="networkidle")
    if not any("/icons/" in url for url in transfer.urls):
        page.evaluate(ICON)
    largest, shifts = seen(page)
    return Visit(page, transfer, largest, shifts)


def seen(page: Page) -> tuple[float, list[str]]:
    """The largest paint and the shifts until now."""
    page.evaluate(PAINTED)
    found = page.evaluate("visit()")
    return float(found["largest"]), list(found["shifts"])


def refresh(page: Page) -> None:
    """Have every part of the page that refreshes itself sent again and put in its place."""
    page.evaluate(REFRESH)
    page.wait_for_function(REFRESHED)
