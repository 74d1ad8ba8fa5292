"""Pages and lists with years of history: the server's time for one request, which on SQLite is time of the processor
and so does not count the neighbours of a shared machine."""

from collections.abc import Iterator

from tests.bench import machine
from tests.bench.installation import Installation, installation, on_core
from tests.bench.load import prepared, repeat
from tests.bench.table import Row, at_most

ASKED = 150
SECONDS = 4.0
PAGES = {
    "overview": "/p/default/",
    "models page": "/p/default/models/",
    "models page, searched": "/p/default/models/?q=trained-7",
    "history of an environment": "/p/default/environments/production/",
    "history of all": "/p/default/history/",
}
LISTS = {
    "list of environments": "/api/v1/environments/",
    "list of models": "/api/v1/models/",
    "list of promotions": "/api/v1/environments/production/promotions/",
}


def rows(*, quick: bool) -> Iterator[Row]:
    with on_core(0), installation() as control_plane:
        control_plane.seed("many(1000, 10_000)" if quick else "many()")
        control_plane.seed("promoted()")
        cookie = {"Cookie": f"sessionid={control_plane.seed('session()')}"}
        token = {"Authorization": f"Bearer {control_plane.token}"}
        for paths, headers in ((PAGES, cookie), (LISTS, token)):
            for name, path in paths.items():
                yield _row(control_plane, name, prepared(path, headers))


def _row(control_plane: Installation, name: str, request: bytes) -> Row:
    pids = control_plane.pids()
    with on_core(-1):
        repeat(control_plane.port, [[request]], seconds=0.5, expected=[200])
        before = machine.processor_seconds(pids)
        load = repeat(control_plane.port, [[request]], seconds=SECONDS, expected=[200])
    spent = (machine.processor_seconds(pids) - before) / load.count
    measured = f"by the clock: median {load.median * 1000:.0f} ms"
    return at_most(f"{name}, 10,000 models, 100,000 promotions", spent * 1000, ASKED, unit=" ms", measured=measured)
