"""Waiting for a call that nothing can interrupt: when the run is over, the call is left to end by itself.

A Rasa server freezes when the connection of a training or a test is closed before its answer: it then waits for the
thread at work, and answers nobody meanwhile (measured with 3.6.21). So such a connection is kept until the answer came.
"""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TypeVar

from workers.watching import Watch

T = TypeVar("T")

# Calls of this process that still work, by their place.
_working: Counter[str] = Counter()
_lock = threading.Lock()


def is_busy(place: str) -> bool:
    """Does a call of this process still work there, waited for or left?"""
    with _lock:
        return _working[place] > 0


def _count(place: str, number: int) -> None:
    with _lock:
        _working[place] += number


def _nothing() -> None:
    pass


def wait_for(watch: Watch, place: str, call: Callable[[], T], drop: Callable[[], object] = _nothing) -> T:
    """What `call` returns. When the run is over first, raises why; `drop` follows once the call has ended after all."""
    answer: Future[T] = Future()

    def work() -> None:
        try:
            result = call()
        except Exception as error:
            with suppress(InvalidStateError):
                answer.set_exception(error)
        else:
            try:
                answer.set_result(result)
            except InvalidStateError:
                drop()
        finally:
            _count(place, -1)

    with watch.interrupted_by(answer.cancel):
        _count(place, 1)
        threading.Thread(target=work, name=f"waits for {place}", daemon=True).start()
        return answer.result()
