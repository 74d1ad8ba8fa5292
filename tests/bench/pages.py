"""Pages and lists with years of history: the server's time for one request, which on SQLite is time of the processor
and so does not count the neighbours of a shared machine."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.bench import machine
from tests.bench.installation import Installation, installation, on_core
from tests.bench.load import prepared, repeat
from tests.bench.table import Row, at_most

ASKED = 150
# Those that people look at all day.
ASKED_OF_THE_FIRST = 100
SECONDS = 4.0
CONVERSATIONS = 10_000
A_WEEK_AGO = datetime.now(UTC) - timedelta(days=7)
PAGES = {
    "overview": "/p/default/",
    "models page": "/p/default/models/",
    "models page, searched": "/p/default/models/?q=trained-7",
    "history of an environment": "/p/default/environments/production/",
    "history of all": "/p/default/history/",
}
FIRST = ("overview", "models page")
SAID = {
    "conversations page": "/p/default/conversations/",
    "conversations page, searched": "/p/default/conversations/?text=number+77",
    "conversations page, of a model": "/p/default/conversations/?model=trained-7",
    "conversations page, until a week ago": f"/p/default/conversations/?until={A_WEEK_AGO:%Y-%m-%d}",
}
LISTS = {
    "list of environments": "/api/v1/environments/",
    "list of models": "/api/v1/models/",
    "list of promotions": "/api/v1/environments/production/promotions/",
}


def rows(*, quick: bool) -> Iterator[Row]:
    conversations = 1000 if quick else CONVERSATIONS
    with on_core(0), installation() as control_plane:
        control_plane.seed("many(1000, 10_000)" if quick else "many()")
        control_plane.seed("promoted()")
        # As browsers ask.
        browser = {"Cookie": f"sessionid={control_plane.seed('session()')}", "Accept-Encoding": "gzip"}
        token = {"Authorization": f"Bearer {control_plane.token}"}
        for paths, headers in ((PAGES, browser), (LISTS, token)):
            for name, path in paths.items():
                asked = ASKED_OF_THE_FIRST if name in FIRST else ASKED
                what = f"{name}, 10,000 models, 100,000 promotions"
                yield _row(control_plane, what, prepared(path, headers), asked)
        control_plane.seed(f"said({conversations})")
        for name, path in SAID.items():
            what = f"{name}, {conversations:,} conversations"
            yield _row(control_plane, what, prepared(path, browser), ASKED)


def _row(control_plane: Installation, what: str, request: bytes, asked: float) -> Row:
    pids = control_plane.pids()
    with on_core(-1):
        repeat(control_plane.port, [[request]], seconds=0.5, expected=[200])
        before = machine.processor_seconds(pids)
        load = repeat(control_plane.port, [[request]], seconds=SECONDS, expected=[200])
    spent = (machine.processor_seconds(pids) - before) / load.count
    measured = f"by the clock: median {load.median * 1000:.0f} ms"
    return at_most(what, spent * 1000, asked, unit=" ms", measured=measured)
