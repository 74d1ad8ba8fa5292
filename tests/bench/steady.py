"""Polls at a fixed rate, whatever the server does beside: nothing, large archives, every long request it allows.

The best of some rounds counts: a busy neighbour only ever adds. What an empty view takes in the same minute tells how
busy the machine is.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.bench.archive import beside, download, upload, write_archive
from tests.bench.installation import REPLICAS, Installation, installation
from tests.bench.load import at_rate, prepared
from tests.bench.polls import polls
from tests.bench.table import Row, at_most
from tests.live import wait_until

RATE = 300.0
ROUNDS = 3
SECONDS, QUICK_SECONDS = 8.0, 4.0
MEGABYTES, QUICK_MEGABYTES = 500, 100
LIMITS = {"MAX_DOWNLOADS": 32, "MAX_UPLOADS": 16, "MAX_WAITS": 16, "MAX_CHATS": 16}
SLOW = 20_000.0  # bytes per second
ENVIRONMENTS = f"""
rasa:
  production: {{{{url: "http://127.0.0.1:9", pull_interval: 10, replicas: {REPLICAS}}}}}
  experimental: {{{{url: "http://127.0.0.1:9/experimental", pull_interval: 10}}}}
  hanging: {{{{url: "http://127.0.0.1:{{port}}", pull_interval: 10}}}}
"""


@contextmanager
def hanging_server() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield int(server.getsockname()[1])


def rows(*, quick: bool) -> Iterator[Row]:
    variables = {name: str(number) for name, number in LIMITS.items()}
    with (
        TemporaryDirectory(prefix="bench-archive-") as folder,
        hanging_server() as hanging,
        installation(ENVIRONMENTS.format(port=hanging), variables=variables) as control_plane,
    ):
        requests = polls(control_plane.seed("promoted()"))
        archives = [Path(folder) / f"{name}.tar.gz" for name in ("going", "coming")]
        for archive in archives:
            write_archive(archive, archive.name, QUICK_MEGABYTES if quick else MEGABYTES)
        upload(control_plane.port, archives[0], control_plane.token)
        seconds = QUICK_SECONDS if quick else SECONDS
        measure = partial(_measured, control_plane, requests, seconds)
        at_rate(control_plane.port, requests, rate=RATE, seconds=2, expected=[304])
        yield measure(f"{RATE:.0f} polls a second, p99", 50)
        with beside(*_transfers(control_plane, archives)):
            yield measure("the same while a 500 MB archive comes and another goes, p99", 50)
        with every_limit_full(control_plane, archives):
            yield measure("the same with every limit of long requests full, p99", 100)


def _measured(control_plane: Installation, requests: list[bytes], seconds: float, what: str, asked: float) -> Row:
    at_this_rate = partial(at_rate, control_plane.port, rate=RATE, seconds=seconds, expected=[304])
    empty = [prepared("/bench/empty", {})]
    loads = [(at_this_rate(requests), at_this_rate(empty)) for _ in range(ROUNDS)]
    poll, nothing = (min(kind, key=lambda load: load.p99) for kind in zip(*loads, strict=True))
    return at_most(
        what,
        poll.p99 * 1000,
        asked,
        unit=" ms",
        measured=f"median {poll.median * 1000:.1f} ms, worst {poll.worst * 1000:.0f} ms",
        against=f"an empty view: p99 {nothing.p99 * 1000:.1f} ms",
        note="" if nothing.p99 * 1000 < asked / 2 else "the machine is busy: even an empty view takes long",
    )


def _transfers(control_plane: Installation, archives: list[Path]) -> list[Callable[[], object]]:
    going, coming = archives
    headers = {"Authorization": f"Bearer {control_plane.token}"}
    path = f"/api/projects/default/models/{going.name.removesuffix('.tar.gz')}"
    return [
        partial(upload, control_plane.port, coming, control_plane.token),
        partial(download, control_plane.port, path, headers),
    ]


@contextmanager
def every_limit_full(control_plane: Installation, archives: list[Path]) -> Iterator[None]:
    """As many slow downloads, slow uploads, waits and chats as the web process takes, and no room for another."""
    http = control_plane.http
    models = http.get("/api/v1/models/", params={"q": "brisk-otter"}).json()["results"]
    body = {"model": models[0]["name"]}
    promotion = http.post("/api/v1/environments/experimental/promotions/", json=body).json()["id"]
    going, coming = (
        partial(move.func, *move.args, rate=SLOW) for move in reversed(_transfers(control_plane, archives))
    )
    moves = {
        "MAX_DOWNLOADS": going,
        "MAX_UPLOADS": coming,
        "MAX_WAITS": partial(_ask, control_plane, "GET", f"/api/v1/promotions/{promotion}/?wait=300"),
        "MAX_CHATS": partial(_ask, control_plane, "POST", "/api/conversations/ana/messages?environment=hanging"),
    }
    # A chat ends when the server is given up; another takes its place at once.
    asking = LIMITS | {"MAX_CHATS": LIMITS["MAX_CHATS"] + 8}
    with beside(*(partial(_whatever_comes, moves[name]) for name, number in asking.items() for _ in range(number))):
        for what, refused in _one_more(control_plane, promotion).items():
            wait_until(refused, 60, f"the limit of {what} being full")
        yield


def _whatever_comes(move: Callable[[], object]) -> None:
    """Who finds no place at first tries again."""
    with suppress(OSError, RuntimeError, httpx.HTTPError):
        move()


def _ask(control_plane: Installation, method: str, path: str) -> None:
    with control_plane.client() as http:
        http.request(method, path, json={"message": "hi"} if method == "POST" else None, timeout=400)


def _one_more(control_plane: Installation, promotion: str) -> dict[str, Callable[[], bool]]:
    """Whether one more download, upload, chat and wait would find no place."""
    http, busy = control_plane.http, httpx.codes.SERVICE_UNAVAILABLE
    nothing = {"model": ("one-more.tar.gz", b"")}
    chats = "/api/conversations/cy/messages?environment=hanging"

    def download() -> bool:
        with http.stream("GET", "/api/projects/default/models/going") as answer:
            return answer.status_code == busy

    return {
        "downloads": download,
        "uploads": lambda: http.post("/api/projects/default/models", files=nothing).status_code == busy,
        "chats": lambda: "Too many talk" in http.post(chats, json={"message": "hi"}).text,
        "waits": lambda: http.get(f"/api/v1/promotions/{promotion}/?wait=2").elapsed.total_seconds() < 1.5,
    }
