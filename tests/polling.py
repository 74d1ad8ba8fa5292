"""Rasa servers as the control plane hears them: polls over HTTP, without a Rasa behind them."""

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import httpx

from tests import live
from tests.archives import rasa_archive

# Seconds between two polls, as declared.
INTERVAL = 1.0
PATIENCE = 60.0
INSTALLATION_TOKEN = "the-token-of-every-rasa-server"


@dataclass(frozen=True)
class Answer:
    """What one poll got; `status` 0: no answer, and Rasa keeps what it has."""

    status: int
    seconds: float
    etag: str | None = None
    body: bytes = b""


class Replica:
    """One process of a Rasa server. Its polls go to `urls` in turn, as through a load balancer.

    It loads what it is given, unless `loads` says that it cannot, and then sends that ETag, as Rasa does.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        tag: str = "production",
        name: str = "rasa-1",
        token: str = INSTALLATION_TOKEN,
        loads: Callable[[str], bool] = lambda model: True,
    ) -> None:
        self.name, self.token, self.tag, self.loads = name, token, tag, loads
        self.urls = cycle(urls)
        self.model: str | None = None
        self.answers: list[Answer] = []
        # A connection each time, so that web processes on one port get their share.
        self.http = httpx.Client(timeout=PATIENCE, headers={"Connection": "close"})
        self.restart()

    def restart(self) -> None:
        self.etag, self.model = uuid.uuid4().hex, None

    def poll(self, url: str | None = None) -> Answer:
        """Poll the next of the URLs, or the one named."""
        address = f"{url or next(self.urls)}/api/projects/default/models/tags/{self.tag}"
        headers = {"Authorization": f"Bearer {self.token}", "If-None-Match": self.etag}
        began = time.monotonic()
        try:
            response = self.http.get(address, params={"replica": self.name}, headers=headers)
            body = response.content
        except httpx.HTTPError:
            answer = Answer(0, time.monotonic() - began)
        else:
            etag = response.headers.get("ETag")
            answer = Answer(response.status_code, time.monotonic() - began, etag, body)
        self._take(answer)
        self.answers.append(answer)
        return answer

    def _take(self, answer: Answer) -> None:
        if answer.status != 200 or answer.etag is None:
            return
        sha256 = answer.etag.strip('"')
        assert hashlib.sha256(answer.body).hexdigest() == sha256, "other bytes than the ETag says"
        if self.loads(sha256):
            self.etag, self.model = answer.etag, sha256

    def load(self) -> None:
        """Poll until what is loaded is not another model any more."""
        while self.poll().status == 200:
            pass


class Polling:
    """Replicas that poll every `interval` seconds, each in a thread of its own, as long as the block lasts."""

    def __init__(self, replicas: Sequence[Replica], interval: float) -> None:
        self.replicas, self.interval = replicas, interval
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(replica,)) for replica in replicas]

    def _run(self, replica: Replica) -> None:
        while not self._over.is_set():
            replica.poll()
            self._over.wait(self.interval)

    def __enter__(self) -> "Polling":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def answers(self) -> list[Answer]:
        return [answer for replica in self.replicas for answer in replica.answers]


class Stage:
    """An environment of a control plane, made through the API, with its own models and replicas.

    `urls` are those of the web processes; what is asked goes to them in turn.
    """

    otter: str
    heron: str
    replicas: list[Replica]

    def __init__(self, control_plane: live.ControlPlane, urls: Sequence[str], **fields: Any) -> None:
        self.name = f"stage-{uuid.uuid4().hex[:8]}"
        self.control_plane, self.urls = control_plane, list(urls)
        self.clients = [self._client(control_plane, url) for url in urls]
        self._turn = cycle(self.clients)
        url = f"http://{self.name}.invalid:5005"
        self.post("/api/v1/environments/", name=self.name, **{"url": url, "pull_interval": INTERVAL, **fields})

    @classmethod
    def begin(
        cls, control_plane: live.ControlPlane, replicas: int, *, urls: Sequence[str] = (), **fields: Any
    ) -> "Stage":
        """One with `otter` promoted and loaded by all its replicas, and `heron` to promote."""
        stage = cls(control_plane, urls or [control_plane.url], replicas=replicas, **fields)
        stage.otter, stage.heron = stage.upload("otter"), stage.upload("heron")
        stage.promote("otter")
        stage.replicas = [stage.replica(name=f"rasa-{number}") for number in range(replicas)]
        for replica in stage.replicas:
            replica.load()
        return stage

    @staticmethod
    def _client(control_plane: live.ControlPlane, url: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {control_plane.token}", "Connection": "close"}
        return httpx.Client(base_url=url, headers=headers, timeout=PATIENCE)

    @property
    def path(self) -> str:
        return f"/api/v1/environments/{self.name}/"

    def post(self, path: str, **body: Any) -> Any:
        response = next(self._turn).post(path, json=body)
        assert response.status_code < 300, response.text
        return response.json() if response.content else None

    def get(self, path: str, **query: Any) -> Any:
        response = next(self._turn).get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def upload(self, name: str) -> str:
        """A model of this stage alone; its hash."""
        name = f"{self.name}-{name}"
        file = {"model": (f"{name}.tar.gz", rasa_archive(name))}
        response = next(self._turn).post("/api/projects/default/models", files=file)
        assert response.status_code == 201, response.text
        return str(response.json()["hash"])

    def promote(self, name: str) -> dict[str, Any]:
        promoted: dict[str, Any] = self.post(f"{self.path}promotions/", model=f"{self.name}-{name}")
        return promoted

    def promotion(self, promotion: dict[str, Any], **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/v1/promotions/{promotion['id']}/", **query)
        return found

    def latest_promotion(self) -> dict[str, Any]:
        newest: dict[str, Any] = self.get(f"{self.path}promotions/", limit=1)["results"][0]
        return newest

    def status(self, path: str) -> int:
        return next(self._turn).get(path).status_code

    def environment(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get(self.path)
        return found

    def replica(self, **options: Any) -> Replica:
        return Replica(self.urls, tag=self.name, **options)
