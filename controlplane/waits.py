"""The word of a worker that it waits on purpose, for its health check in another process: no restart mends that."""

import socket
import time
from pathlib import Path

from django.conf import settings

# Seconds after which it is no word any more.
FRESH = 30.0


def _file() -> Path:
    """Of this machine, or container: homes are shared."""
    return Path(settings.CONTROLPLANE_HOME) / f"worker-waits-{socket.gethostname()}"


def note() -> None:
    _file().touch()


def over() -> None:
    _file().unlink(missing_ok=True)


def are_noted() -> bool:
    try:
        return time.time() - _file().stat().st_mtime < FRESH
    except OSError:
        return False
