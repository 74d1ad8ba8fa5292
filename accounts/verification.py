"""Reading the whole audit trail against its hash chain: what was changed, removed, inserted or cut off."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts import audit_chain
from accounts.audit_chain import Head
from accounts.models import AuditEvent, AuditLink

CHUNK = 1000
# How much older than an event sealed before it an honest event may be: long transactions, clocks that differ.
GRACE = timedelta(minutes=15)

Progress = Callable[[int], object]


@dataclass(frozen=True)
class _Doubt:
    """A link that does not fit its event: the next one tells which of the two was changed."""

    link: AuditLink
    computed: str


def nothing(done: int) -> None:
    """Nobody watches."""


class Verification:
    """`findings()` reads everything, in flat memory; afterwards `head` is the end of the chain.

    With a `kept` head, what was late before it is not told again: who kept it had looked into that.
    """

    def __init__(self, kept: Head | None = None, progress: Progress = nothing) -> None:
        self.kept = kept
        self.progress = progress
        self.head = Head(0, audit_chain.FIRST)
        self._known = True  # whether the hash of `head` is that of the link right before the next one
        self._doubt: _Doubt | None = None
        self._newest: AuditEvent | None = None

    def findings(self) -> Iterator[str]:
        """One sentence for each thing that is wrong."""
        for link, event in _links():
            yield from self._position(link)
            yield from self._content(link, event)
            yield from self._time(link, event)
            self.head = Head(link.position, link.hash)
            yield from self._against_kept()
            self.progress(link.position)
        yield from self._settle()
        yield from self._cut()
        yield from self._never_sealed()

    def _position(self, link: AuditLink) -> Iterator[str]:
        following = self.head.position + 1
        self._known = link.position == following
        if not self._known:
            yield from self._settle()
            yield f"The links from position {following} to {link.position - 1} are gone."

    def _content(self, link: AuditLink, event: AuditEvent | None) -> Iterator[str]:
        if event is None:
            yield from self._settle()
            yield f"Event {link.event_id}, sealed at position {link.position}, is gone."
            return
        if not self._known:
            return
        doubt, self._doubt = self._doubt, None
        computed = audit_chain.link_hash(self.head.hash, event, link.sealed_at)
        if doubt and computed != link.hash == audit_chain.link_hash(doubt.computed, event, link.sealed_at):
            yield f"The link at position {doubt.link.position} was changed; its event {doubt.link.event_id} was not."
            return
        if doubt:
            yield _changed(doubt.link)
        if computed != link.hash:
            self._doubt = _Doubt(link, computed)

    def _settle(self) -> Iterator[str]:
        doubt, self._doubt = self._doubt, None
        if doubt:
            yield _changed(doubt.link)

    def _time(self, link: AuditLink, event: AuditEvent | None) -> Iterator[str]:
        if event is None:
            return
        before_kept = self.kept is not None and link.position <= self.kept.position
        if self._passed_by(event.at) and not before_kept:
            yield (
                f"Event {event.pk} (position {link.position}) is of {event.at.isoformat()}, and event "
                f"{self._newest_id}, sealed before it, is much newer: it was inserted, or a clock was wrong."
            )
        if self._newest is None or event.at > self._newest.at or self._is_kept(link):
            self._newest = event

    def _passed_by(self, at: datetime) -> bool:
        return self._newest is not None and at < self._newest.at - GRACE

    @property
    def _newest_id(self) -> int | None:
        return self._newest.pk if self._newest else None

    def _is_kept(self, link: AuditLink) -> bool:
        return self.kept is not None and link.position == self.kept.position

    def _against_kept(self) -> Iterator[str]:
        if self.kept and self.head.position == self.kept.position and self.head.hash != self.kept.hash:
            yield f"Position {self.head.position} has another hash than the kept head: the chain was written anew."

    def _cut(self) -> Iterator[str]:
        if self.kept and self.head.position < self.kept.position:
            yield (
                f"The chain ends at position {self.head.position}, before the kept head at {self.kept.position}: "
                "its end was cut off."
            )

    def _never_sealed(self) -> Iterator[str]:
        if self._newest is None:
            return
        left_out = AuditEvent.objects.filter(link=None, at__lt=self._newest.at - GRACE).order_by("pk")
        for pk in left_out.values_list("pk", flat=True).iterator(chunk_size=CHUNK):
            yield (
                f"Event {pk} is not sealed, and event {self._newest_id}, which is, is much newer: it was inserted, "
                "or a clock was wrong."
            )


def _changed(link: AuditLink) -> str:
    return (
        f"Event {link.event_id} is not what was sealed at position {link.position}: it was changed, "
        "or links before it were removed."
    )


def _links() -> Iterator[tuple[AuditLink, AuditEvent | None]]:
    """The links in their order, each with its event if that is there."""
    position = -1
    while links := list(AuditLink.objects.filter(position__gt=position).order_by("position")[:CHUNK]):
        events = AuditEvent.objects.in_bulk([link.event_id for link in links])
        for link in links:
            yield link, events.get(link.event_id)
        position = links[-1].position
