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

from tests.fake_rasa import FakeRasa

ROOT = Path(__file__).parent.parent.parent
STARTS_WITHIN = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


ANSWERS = [
    {"text": "Your card is blocked. A new one is on its way."},
    {
        "text": "Anything else?",
        "buttons": [{"title": "Yes", "payload": "/affirm"}, {"title": "No", "payload": "/deny"}],
    },
]


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
    """Started on a free port; `pollers` are its Rasa servers, `tokens` the service tokens by environment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.variables: dict[str, str] = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
            "CONTROLPLANE_HOME": str(home),
            "DATABASE_URL": f"sqlite:///{home / 'db.sqlite3'}",
            "RASA_X_TOKEN": "",
        }
        self.bot = FakeRasa(model_id="talks", answers=ANSWERS)
        self.tokens: dict[str, str] = {}
        self.pollers: dict[str, Poller] = {}

    def __enter__(self) -> "Installation":
        self.bot.start()
        self.tokens = json.loads(self._python("-m", "tests.browser.scene"))
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
        self._log.close()

    def _python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.variables | {"SCENE_BOT_URL": self.bot.url},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

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
