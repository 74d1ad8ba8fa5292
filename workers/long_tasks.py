"""Tasks that may take minutes: each at most once at a time in a process, so that there is a thread for each of them and
short tasks always find one that is free."""

import logging
import threading
from collections.abc import Callable
from functools import wraps

logger = logging.getLogger(__name__)

names: set[str] = set()


def one_at_a_time(task: Callable[[], None]) -> Callable[[], None]:
    """Under `shared_task`: while it runs in this process, another call does nothing. It is called again in its time."""
    busy = threading.Lock()
    names.add(task.__name__)

    @wraps(task)
    def alone() -> None:
        if not busy.acquire(blocking=False):
            logger.debug("%s is still at it", task.__name__)
            return
        try:
            task()
        finally:
            busy.release()

    return alone
