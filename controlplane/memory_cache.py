"""A cache in the memory of the one web process. Django's own copies a value at each read and write, and keeps 300."""

import threading
import time
from collections import OrderedDict
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

# More than there are replicas; names that were made up should not fill the memory.
ENTRIES = 50_000

Kept = OrderedDict[str, tuple[float | None, Any]]

# Each thread has its own instance; what they keep is one.
_kept: dict[str, tuple[Kept, threading.Lock]] = {}


class PlainLocMemCache(BaseCache):
    """Gives back the very object that was put in: for values that nobody changes, as those of the ledger are."""

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._kept, self._lock = _kept.setdefault(name, (OrderedDict(), threading.Lock()))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        until, value = self._kept.get(self.make_key(key, version), (0.0, None))
        return value if until is None or until > time.time() else default

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        with self._lock:
            self._keep(self.make_key(key, version), value, timeout)

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        missing = object()
        with self._lock:
            absent = self.get(key, missing, version) is missing
            if absent:
                self._keep(self.make_key(key, version), value, timeout)
            return absent

    def _keep(self, key: str, value: Any, timeout: Any) -> None:
        """The longest unheard go first where there are too many."""
        self._kept[key] = (self.get_backend_timeout(timeout), value)
        self._kept.move_to_end(key)
        while len(self._kept) > ENTRIES:
            self._kept.popitem(last=False)

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        with self._lock:
            _, value = self._kept.get(self.make_key(key, version), (0.0, None))
            present = self.has_key(key, version)
            if present:
                self._keep(self.make_key(key, version), value, timeout)
            return present

    def delete(self, key: str, version: int | None = None) -> bool:
        with self._lock:
            return self._kept.pop(self.make_key(key, version), None) is not None

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
