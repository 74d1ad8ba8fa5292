"""Sends notifications in a thread beside the tasks of a worker, so that a target that hangs holds none of them."""

import logging
import threading

from django.db import connections

from environments import delivering

logger = logging.getLogger(__name__)

_busy = threading.Lock()


def start() -> bool:
    """Send what is due, unless this process does so already; what is due by then is found by it too."""
    if not _busy.acquire(blocking=False):
        return False
    threading.Thread(target=_run, name="sending", daemon=True).start()
    return True


def _run() -> None:
    try:
        delivering.deliver_due()
    except Exception:
        # The rows stay, and are sent when it is looked at them again.
        logger.exception("notifications could not be sent; trying again within seconds")
    finally:
        connections.close_all()
        _busy.release()
