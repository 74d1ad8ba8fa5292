"""Whether the ports are free, asked before anything starts."""

import errno
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

# What was killed a moment ago may still hold its port.
PATIENCE = 3.0


@dataclass(frozen=True)
class Wanted:
    """`cure` says what to change where the port is taken."""

    host: str
    port: int
    purpose: str
    cure: str


class PortTaken(Exception):
    """The message names each port that cannot be had, and the cure."""


def _refusal(wanted: Wanted) -> str | None:
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((wanted.host, wanted.port))
        except OSError as error:
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            return f"Port {wanted.port} on {wanted.host}, for {wanted.purpose}, {reason}. {wanted.cure}"
    return None


def check(wanted: Sequence[Wanted], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while refusals := [refusal for each in wanted if (refusal := _refusal(each))]:
        if time.monotonic() >= deadline:
            raise PortTaken("\n".join(refusals))
        time.sleep(0.2)
