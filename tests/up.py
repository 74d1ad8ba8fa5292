"""`manage.py up` for tests."""

import os
import subprocess
import sys
import time

from tests import live

DECLARATION = "rasa:\n  production:\n    url: {url}\n"


class Up:
    """One `up` in a home of its own."""

    def __init__(self, home, url="http://rasa-production:5005"):
        self.home = home
        self.port = live.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        declaration = home / "environments.yml"
        declaration.write_text(DECLARATION.format(url=url))
        kept = {name: value for name, value in os.environ.items() if name not in live.FOREIGN}
        self.environment = kept | {"CONTROLPLANE_HOME": str(home), "CONTROLPLANE_ENVIRONMENTS": str(declaration)}
        self.environment["CONTROLPLANE_RASA_HOME"] = str(home / "no-rasa")
        self.process = None

    def start(self):
        with (self.home / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=live.ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        live.wait_until(lambda: live.answers(f"{self.url}/healthz"), 60, "an answer")
        live.wait_until(lambda: "default@" in self.log() and "training@" in self.log(), 60, "a start of the workers")

    def command(self, *arguments):
        return [sys.executable, "manage.py", "up", "--port", str(self.port), *arguments]

    def refused(self, *arguments):
        """What another start says."""
        done = subprocess.run(
            self.command(*arguments), cwd=live.ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        return done.stderr

    def log(self):
        return (self.home / "up.log").read_text()

    def end(self, number):
        """Send the signal; the seconds until the process has ended."""
        begun = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=15)
        return time.monotonic() - begun
