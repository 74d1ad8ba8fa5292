"""How many long requests of a kind one web process holds at a time, so that polls always find a free thread."""

import threading

from django.conf import settings


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


DOWNLOADS = Limit("MAX_DOWNLOADS")
UPLOADS = Limit("MAX_UPLOADS")
WAITS = Limit("MAX_WAITS")
CHATS = Limit("MAX_CHATS")
BODIES = Limit("MAX_BODIES")
