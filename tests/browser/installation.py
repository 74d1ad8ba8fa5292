"""A whole installation of its own for the browser: home, database, granian, and Rasa servers that only poll."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from environments import drift
from tests import migrated
from tests.fake_docker import FakeEngine
from tests.fake_rasa import FakeRasa

ROOT = Path(__file__).parent.parent.parent
STARTS_WITHIN = 30

FREEZE = """
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from environments.actions import freezes
now = timezone.now()
freezes.freeze_all(as_of=now - timedelta(hours=5), now=now)
"""

# The link by which guests talk to the bot of experimental.
GUEST_TOKEN = "otters-talk-to-guests-0123456789"
GUEST_PAGE = f"/guest/conversations/experimental/{GUEST_TOKEN}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


ANSWERS = [
    {"text": "Your card is blocked. A new one is on its way."},
    {"text": "It looks like this:", "image": "https://cards.example.com/otter.png"},
    {"custom": {"kind": "map", "branches": [{"name": "Old Town", "lat": 50.09}]}},
    {
        "text": "Anything else?",
        "buttons": [{"title": "Yes", "payload": "/affirm"}, {"title": "No", "payload": "/deny"}],
    },
]
SHORTER = [{"text": "Blocked. Anything else?"}]


def understand(text: str) -> tuple[str, float, list[dict[str, Any]]]:
    """What the bots of the scene make of a text."""
    start = text.find("card")
    found = {"entity": "card_type", "value": "card", "start": start, "end": start + 4, "extractor": "DIETClassifier"}
    return ("block_card", 0.93, [found]) if start >= 0 else ("nlu_fallback", 0.31, [])


class Poller:
    """A Rasa server as the control plane sees it: polls with the ETag of what it loaded, loads what it is given.

    While it is `broken` it loads nothing and asks for the archive again and again; `busy`, it does not poll.
    """

    def __init__(self, url: str, token: str, replica: str, every: float = 0.3) -> None:
        self.url, self.replica, self.every = url, replica, every
        self.headers = {"Authorization": f"Bearer {token}"}
        self.etag = os.urandom(16).hex()
        self.broken = self.busy = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with httpx.Client(timeout=10) as client:
            while not self._stop.wait(self.every):
                if self.busy:
                    continue
                headers = self.headers | {"If-None-Match": self.etag}
                try:
                    answer = client.get(self.url, params={"replica": self.replica}, headers=headers)
                except httpx.HTTPError:
                    continue
                if answer.status_code == 200 and not self.broken:
                    self.etag = answer.headers["ETag"]

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


class Installation:
    """Started on a free port; `pollers` are its Rasa servers, `tokens` the service tokens by environment.

    `scene`: the module that fills it.
    """

    def __init__(self, home: Path, scene: str = "tests.browser.scene") -> None:
        self.home, self.scene = home, scene
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.variables: dict[str, str] = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
            "CONTROLPLANE_HOME": str(home),
            "DATABASE_URL": f"sqlite:///{home / 'db.sqlite3'}",
            "RASA_X_TOKEN": "",
            "STYLEGUIDE": "true",
        }
        self.bot = FakeRasa(model_id="talks", answers=ANSWERS, understand=understand)
        self.other_bot = FakeRasa(model_id="talks-too", answers=SHORTER, understand=understand)
        self.engine = FakeEngine()
        self.tokens: dict[str, str] = {}
        self.pollers: dict[str, Poller] = {}

    def __enter__(self) -> "Installation":
        self.bot.start()
        self.other_bot.start()
        self.engine.__enter__()
        self.variables["CONTROLPLANE_DOCKER_URL"] = self.engine.url
        self._run_containers()
        migrated.copy_to(self.home)
        self.tokens = json.loads(self._python("-m", self.scene))
        command = [str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--port", str(self.port)]
        command += ["--blocking-threads", "16", "--no-ws", "--log-level", "warning", "controlplane.wsgi:application"]
        self._log = (self.home / "web.log").open("w")
        self._web = subprocess.Popen(command, cwd=ROOT, env=self.variables, stdout=self._log, stderr=subprocess.STDOUT)
        self._wait()
        return self

    def __exit__(self, *_: Any) -> None:
        for poller in self.pollers.values():
            poller.stop()
        self._web.terminate()
        self._web.wait(10)
        self.bot.stop()
        self.other_bot.stop()
        self.engine.__exit__()
        self._log.close()

    def _run_containers(self) -> None:
        """Three of production: one as it should be, one that was restarted, one that the engine starts in vain."""
        told = {drift.PROJECT: "default", drift.ENVIRONMENT: "production", drift.SERVICE: "rasa-production"}
        log = b"2026-01-01 12:00:00 INFO  rasa.core.agent  - Loaded model 'gritty-schema.tar.gz'.\n"
        for number, more in enumerate(({}, {"restarts": 1}, {"restarts": 7, "status": "restarting", "exit_code": 137})):
            name = f"rasa-production-{number + 1}"
            container = self.engine.run(
                name, told, printed=log, health="healthy", memory=(810 + number) * 2**20, **more
            )
            container.config["Image"] = "rasa/rasa:3.6.21-full"

    def _python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.variables | {"SCENE_BOT_URL": self.bot.url, "SCENE_OTHER_BOT_URL": self.other_bot.url},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def freeze(self) -> None:
        """As a restore does."""
        self._python("-c", FREEZE)

    def _wait(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/sign-in/", timeout=2)
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise TimeoutError((self.home / "web.log").read_text())

    def connect(self, environment: str, number: int, tag: str = "") -> Poller:
        """One more Rasa server of `environment`."""
        name = f"rasa-{environment}-{number}"
        url = f"{self.url}/api/projects/default/models/tags/{tag or environment}"
        self.pollers[name] = Poller(url, self.tokens[environment], name)
        return self.pollers[name]
