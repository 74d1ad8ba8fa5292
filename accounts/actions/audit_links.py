"""Sealing: audit events become links of the hash chain, each once, in the order in which they are found."""

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from accounts import audit_chain
from accounts.models import AuditEvent, AuditLink

CHUNK = 1000
# An event that a long transaction commits late has a lower id than sealed ones, by so much at most. Looking further
# back each minute would read the whole trail; `verify_audit` does.
LATE = 10_000


def seal() -> int:
    """Seal what is committed and not sealed yet; how many events that were. Two at once are harmless."""
    sealed = 0
    try:
        while chunk := _seal_chunk():
            sealed += chunk
            if chunk < CHUNK:
                break
    except IntegrityError:  # somebody else took the position, and seals the rest
        pass
    return sealed


@transaction.atomic
def _seal_chunk() -> int:
    last = AuditLink.objects.order_by("-position").first()
    position, previous = (last.position, last.hash) if last else (0, audit_chain.FIRST)
    since = (AuditLink.objects.aggregate(newest=Max("event_id"))["newest"] or 0) - LATE
    # Said of both tables: a join would read the whole chain.
    sealed = AuditLink.objects.filter(event_id__gt=since).values("event_id")
    waiting = AuditEvent.objects.filter(pk__gt=since).exclude(pk__in=sealed).order_by("pk")[:CHUNK]
    sealed_at = timezone.now()
    links = []
    for event in waiting:
        position += 1
        previous = audit_chain.link_hash(previous, event, sealed_at)
        links.append(AuditLink(position=position, event=event, hash=previous, sealed_at=sealed_at))
    AuditLink.objects.bulk_create(links)
    return len(links)
