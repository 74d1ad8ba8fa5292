"""`?wait=`: hold a request until something is finished, so that nobody's CI has to sleep and hope."""

import re
import time
from collections.abc import Callable

from rest_framework.request import Request

from accounts.problems import BadRequest
from environments.api.limits import WAITS

LONGEST = 300.0
EVERY = 0.2


def seconds_of(request: Request) -> float:
    """How long the caller would wait: at most 300 s, 0 where nothing was asked."""
    text = request.query_params.get("wait", "0")
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?", text):
        raise BadRequest(f"wait is a number of seconds, at most {LONGEST:.0f}.")
    return min(float(text), LONGEST)


def hold(request: Request, finished: Callable[[], bool]) -> None:
    """Hold the request as long as it asks for, see `hold_for`."""
    hold_for(seconds_of(request), finished)


def hold_for(seconds: float, finished: Callable[[], bool]) -> None:
    """Return when `finished()` or when the seconds are over; at once where too many wait already.

    `finished` is asked every 0.2 s: one indexed read, outside any transaction, so that nothing is held meanwhile.
    """
    deadline = time.monotonic() + seconds
    if time.monotonic() >= deadline or finished() or not WAITS.try_acquire():
        return
    try:
        while (left := deadline - time.monotonic()) > 0 and not finished():
            time.sleep(min(EVERY, left))
    finally:
        WAITS.release()
