"""How large what is uploaded may be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bytes of the file as it is sent and of what it unpacks to, a count of members, bytes of `metadata.json`."""

    packed: int
    unpacked: int
    members: int
    metadata: int
