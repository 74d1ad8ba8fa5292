"""What a visit weighs, and that nothing jumps about under the eyes of who reads."""

import pytest

from tests.browser.conftest import NARROW, WIDE
from tests.browser.visits import refresh, seen, visit

pytestmark = pytest.mark.chromium

KILOBYTES = 60
PAGES = (
    "/p/default/",
    "/p/default/models/",
    "/p/default/models/brisk-otter/",
    "/p/default/training/",
    "/p/default/training/queue/",
    "/p/default/training/jobs/2/",
    "/p/default/evaluations/",
    "/p/default/pipelines/",
    "/p/default/talk/?environment=experimental",
    "/p/default/conversations/",
    "/p/default/conversations/in/production/?id=c-90411",
    "/p/default/history/",
    "/p/default/environments/production/",
    "/p/default/environments/production/replicas/",
    "/p/default/access/",
    "/p/default/audit/",
    "/p/default/settings/",
    "/account/",
)
JUMP = """() => {
    const line = document.createElement("p");
    line.textContent = "an advertisement";
    document.querySelector("main").prepend(line);
}"""


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "phone"])
def context(request, contexts, anas_session):
    """Ana's browser, signed in, which never saw a page before."""
    return contexts(storage_state=anas_session, viewport=request.param)[0]


def test_a_jump_is_noticed(context):
    page = visit(context, "/p/default/").page
    page.evaluate(JUMP)
    _, shifts = seen(page)
    assert shifts


def test_the_first_visit_of_the_overview_is_light_and_steady(context):
    first = visit(context, "/p/default/")
    files = [url for url in first.transfer.urls if url.endswith((".js", ".css", ".svg"))]
    assert len(files) > 5
    assert first.kilobytes <= KILOBYTES, (first.kilobytes, first.transfer.urls)
    assert first.shifts == []


def test_no_main_page_moves_while_it_loads_and_refreshes(context):
    moved = {}
    for path in PAGES:
        visited = visit(context, path)
        refresh(visited.page)
        _, shifts = seen(visited.page)
        if shifts:
            moved[path] = shifts
        visited.page.close()
    assert moved == {}
