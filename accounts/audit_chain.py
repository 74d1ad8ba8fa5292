"""The hash chain over the audit trail: each link holds a hash of the link before it and of its event."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from accounts.models import AuditEvent

# What stands for the link before the first.
FIRST = "0" * 64

_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True)
class Head:
    """The end of the chain; whoever keeps it elsewhere can tell later whether anything before it was changed."""

    position: int
    hash: str

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"


def parse_head(text: str) -> Head | None:
    match = _HEAD.fullmatch(text.strip())
    return Head(int(match[1]), match[2]) if match else None


def link_hash(previous: str, event: AuditEvent, sealed_at: datetime) -> str:
    """SHA-256 in hex of the hash before and of the event, as it is read from the database, with its time of sealing."""
    return hashlib.sha256(previous.encode() + _canonical(event, sealed_at)).hexdigest()


def _canonical(event: AuditEvent, sealed_at: datetime) -> bytes:
    members = {
        "id": event.pk,
        "at": _time(event.at),
        "project": event.project_id,
        "actor": event.actor,
        "action": event.action,
        "object": event.object,
        "before": event.before,
        "after": event.after,
        "address": event.address,
        "via": event.via,
        "token": event.token,
        "sealed_at": _time(sealed_at),
    }
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
