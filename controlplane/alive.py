"""`python -m controlplane.alive training`: whether that worker, or `beat`, of this container does its work.

For health checks; the status says it. A worker answers by the broker, beat makes its steps. The check of web needs
nothing of the control plane (Dockerfile).
"""

import os
import socket
import sys
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

from django.conf import settings

from controlplane import waits
from controlplane.celery import app

PATIENCE = 8.0
LONGEST_STEP = 60.0


def worker(queue: str) -> bool:
    """One that waits for its database answers nobody, and would only wait again."""
    return waits.are_noted() or bool(
        app.control.ping(destination=[f"{queue}@{socket.gethostname()}"], timeout=PATIENCE, limit=1)
    )


def beat() -> bool:
    return time.time() - Path(settings.BEAT_TICKS_FILE).stat().st_mtime < LONGEST_STEP


def main(name: str) -> None:
    try:
        alive = beat() if name == "beat" else worker(name)
    except Exception as error:  # the container's state shows the line
        sys.exit(f"{name} does not answer: {type(error).__name__}")
    if not alive:
        sys.exit(f"{name} does not answer.")


if __name__ == "__main__":
    main(sys.argv[1])
