"""A large archive in and out, against the machine's programs and nginx on the same file; and the memory it takes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.bench import machine
from tests.bench.archive import download, upload, write_archive
from tests.bench.installation import Installation, installation
from tests.bench.machine import MB
from tests.bench.table import Row, at_least, at_most, skipped

MEGABYTES, QUICK_MEGABYTES = 500, 100
TIMES = 3
MEMORY = 64


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def rows(*, quick: bool) -> Iterator[Row]:
    with TemporaryDirectory(prefix="bench-archive-") as folder, installation() as control_plane:
        archive = Path(folder) / "large.tar.gz"
        write_archive(archive, "large", QUICK_MEGABYTES if quick else MEGABYTES)
        control_plane.seed("promoted()")
        pids = control_plane.pids()
        machine.forget_peak(pids)
        before = machine.memory(pids)
        yield _uploads(control_plane, archive)
        yield from _downloads(control_plane, archive)
        peak = machine.memory(pids, "VmHWM")
        yield at_most(
            "memory of the web program while it moves them",
            peak - before,
            MEMORY,
            unit=" MB",
            measured=f"peak {peak:.0f} MB",
            against=f"before: {before:.0f} MB",
        )


def _uploads(control_plane: Installation, archive: Path) -> Row:
    ours, theirs = [], []
    for _ in range(TIMES):
        theirs.append(machine.seconds_of("gzip", "-t", str(archive)) + machine.seconds_of("sha256sum", str(archive)))
        ours.append(timed(lambda: upload(control_plane.port, archive, control_plane.token)))
    return at_most(
        f"upload of {archive.stat().st_size / MB:.0f} MB",
        median(own / other for own, other in zip(ours, theirs, strict=True)),
        2,
        measured=f"{median(ours):.1f} s",
        against=f"gzip -t + sha256sum: {median(theirs):.1f} s",
    )


def _downloads(control_plane: Installation, archive: Path) -> Iterator[Row]:
    headers = {"Authorization": f"Bearer {control_plane.token}"}
    size = archive.stat().st_size

    def ours() -> None:
        check(download(control_plane.port, "/api/projects/default/models/large", headers), size)

    first = timed(ours)
    what = f"download of {size / MB:.0f} MB"
    yield Row(f"the first {what} after its upload", f"{first:.2f} s", note="it is read once more to verify its hash")
    program = machine.nginx_program()
    if program is None:
        yield skipped(what, "there is no nginx to compare with (apt package nginx-light)")
        return
    with TemporaryDirectory(prefix="bench-nginx-") as home, machine.nginx(program, archive.parent, Path(home)) as port:

        def theirs() -> None:
            check(download(port, f"/{archive.name}", {}), size)

        theirs()
        rounds = [(timed(ours), timed(theirs)) for _ in range(TIMES + 2)]
    own, other = (median(seconds) for seconds in zip(*rounds, strict=True))
    yield at_least(
        what,
        median(other / own for own, other in rounds),
        0.5,
        measured=f"{size / MB / own:.0f} MB/s",
        against=f"nginx: {size / MB / other:.0f} MB/s",
    )


def check(received: int, size: int) -> None:
    if received != size:
        raise RuntimeError(f"{received} of {size} bytes came.")
