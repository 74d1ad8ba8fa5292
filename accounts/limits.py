"""How many long or heavy requests of a kind one web process holds at a time, so that polls find a free thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from accounts.problems import Busy


class Limit:
    """A count of slots, read from a setting; `try_acquire` never waits."""

    def __init__(self, setting: str) -> None:
        self.setting = setting
        self._taken = 0
        self._lock = threading.Lock()

    def try_acquire(self) -> bool:
        with self._lock:
            if self._taken >= getattr(settings, self.setting):
                return False
            self._taken += 1
            return True

    def release(self) -> None:
        with self._lock:
            self._taken -= 1

    @contextmanager
    def slot(self, detail: str) -> Iterator[None]:
        """A slot for as long as it takes; `detail` tells whoever finds none."""
        if not self.try_acquire():
            raise Busy(detail, retry_after=2)
        try:
            yield
        finally:
            self.release()


# Each hash of a password takes 19 MiB and a core.
SIGN_INS = Limit("MAX_SIGN_INS")
BUSY = "Too many passwords are checked at this moment. Try again in a few seconds."
