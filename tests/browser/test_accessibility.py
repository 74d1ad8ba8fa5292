"""Every page in both themes before axe, and all its text before our own measure, which looks at more of it."""

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from tests.browser.test_pages import PAGES

pytestmark = pytest.mark.chromium

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# WCAG 2.2 AA and axe's own best practices; a page that is one dialog has its heading in the dialog.
RUN = """async () => {
    const rules = { "page-has-heading-one": { enabled: false }, region: { enabled: false } };
    const found = await axe.run({ rules });
    return found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target.join(" ")}`));
}"""
MORE = (
    "/p/default/search/?q=e",
    "/p/default/shortcuts/",
    "/p/default/evaluations/",
    "/p/default/evaluations/1/",
    "/p/default/evaluations/compare/?a=1&b=2",
    "/p/default/pipelines/",
    "/p/default/pipelines/nightly/",
    "/p/default/pipelines/nightly/runs/1/",
    "/p/default/new-pipeline/",
    "/p/default/models/brisk-otter/evaluate/",
    "/p/default/environments/production/engine/",
    "/p/default/training/repositories/",
    "/p/default/training/repositories/otter-bot/",
    "/p/default/restored/",
    "/p/default/settings/",
    "/p/default/settings/retention/",
    "/p/default/training/queue/",
    "/p/default/training/jobs/1/",
    "/guide/",
    "/guide/operations/",
    "/p/default/nothing/",
)
CONTRASTS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color) => {
        const [r, g, b] = color.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = rgba(getComputedStyle(at).backgroundColor);
            if (color[3] > 200) return color;
        }
        return [255, 255, 255, 255];
    };
    const low = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        const exempt = ":disabled, [aria-disabled=true], .visually-hidden, .skip";
        if (!own || !element.checkVisibility() || element.closest(exempt)) continue;
        const text = luminance(rgba(getComputedStyle(element).color)), behind = luminance(ground(element));
        const ratio = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
        if (ratio < 4.5) low.push(`${element.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    return low;
}"""


def wrong_on(page) -> list[str]:
    page.evaluate(AXE)
    return [*page.evaluate(RUN), *page.evaluate(CONTRASTS)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("part", [PAGES[:14], PAGES[14:], MORE], ids=["first", "second", "more"])
def test_everybody_can_use_every_page(contexts, anas_session, scheme, part):
    context, watched = contexts(storage_state=anas_session, color_scheme=scheme)
    # What other tests left may be refused: there may be nothing to go back to. Those pages can be read as well.
    watched.expected += ["409", "404"]
    page = context.new_page()
    wrong = {}
    for path in part:
        page.goto(path)
        wrong[path] = wrong_on(page)
    assert {path: found for path, found in wrong.items() if found} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1360])
def test_every_component(contexts, scheme, width):
    context, _ = contexts(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto("/styleguide/")
    expect(page.get_by_role("heading", name="Styleguide")).to_be_visible()
    assert wrong_on(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
