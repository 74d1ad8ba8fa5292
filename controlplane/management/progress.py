"""How far a long command is, on stderr: on a terminal in one line, in a log once in a while."""

import time
from collections.abc import Callable

from django.core.management.base import OutputWrapper

ON_A_TERMINAL, IN_A_LOG = 0.2, 30.0  # seconds


def teller(out: OutputWrapper) -> Callable[[str], None]:
    """Says what it is given, unless it said something a moment ago."""
    every = ON_A_TERMINAL if out.isatty() else IN_A_LOG
    said = time.monotonic() - (every if out.isatty() else 0)

    def say(text: str) -> None:
        nonlocal said
        if time.monotonic() - said < every:
            return
        said = time.monotonic()
        if out.isatty():
            out.write(f"\r\x1b[K{text[:100]}", ending="")
            out.flush()
        else:
            out.write(text)

    return say
