"""Sealing: each event becomes a link of the chain once, whoever commits late and however many seal."""

from datetime import timedelta

import pytest

from accounts import audit_chain
from accounts.actions import audit, audit_links
from accounts.actor import COMMAND, JOB, system
from accounts.models import AuditEvent, AuditLink, Project
from environments.models import Slot
from workers.tasks.audit import seal_if_due

pytestmark = pytest.mark.django_db


def record(count=1, **members):
    known = {"by": system(COMMAND), "action": "model.register", "object": "model:calm-heron", "project": None}
    return [audit.record(**(known | members)) for _ in range(count)]


def positions():
    """The ids of the events in the order of the chain."""
    links = list(AuditLink.objects.all())
    assert [link.position for link in links] == list(range(1, len(links) + 1))
    return [link.event_id for link in links]


def test_every_event_is_sealed_once_in_order():
    events = record(3)
    assert audit_links.seal() == 3
    assert audit_links.seal() == 0
    events += record(2)
    assert audit_links.seal() == 2
    assert positions() == [event.pk for event in events]


def test_each_link_holds_the_hash_of_the_one_before():
    record(2, after={"tags": ["nightly"], "size": 10_000, "share": 0.25, "name": "Größe"})
    audit_links.seal()
    first, second = AuditLink.objects.select_related("event")
    assert first.hash == audit_chain.link_hash(audit_chain.FIRST, first.event, first.sealed_at)
    assert second.hash == audit_chain.link_hash(first.hash, second.event, second.sealed_at)
    assert first.hash != second.hash


def test_every_member_of_an_event_is_in_its_hash(django_now):
    [event] = record()
    same = audit_chain.link_hash(audit_chain.FIRST, event, django_now)
    members = [field for field in AuditEvent._meta.concrete_fields if field.name not in ("id", "kind")]
    others = {
        "at": event.at + timedelta(microseconds=1),
        "project": Project.objects.create(name="banking"),
        "before": 1,
        "after": {"a": 1},
    }
    for field in members:
        kept = getattr(event, field.name)
        setattr(event, field.name, others.get(field.name, "other"))
        assert audit_chain.link_hash(audit_chain.FIRST, event, django_now) != same, field.name
        setattr(event, field.name, kept)
    assert audit_chain.link_hash(audit_chain.FIRST, event, django_now) == same
    assert audit_chain.link_hash(audit_chain.FIRST, event, django_now + timedelta(seconds=1)) != same


def test_chunks_make_one_chain(monkeypatch):
    monkeypatch.setattr(audit_links, "CHUNK", 4)
    events = record(10)
    assert audit_links.seal() == 10
    assert positions() == [event.pk for event in events]


def test_an_event_that_is_committed_late_gets_a_later_position():
    early, late = record(2)
    AuditEvent(pk=late.pk + 50, actor="ana", action="x.y", object="y", via="page").save(force_insert=True)
    audit_links.seal()
    AuditEvent(pk=late.pk + 20, actor="ana", action="x.y", object="y", via="page").save(force_insert=True)
    assert audit_links.seal() == 1
    assert positions() == [early.pk, late.pk, late.pk + 50, late.pk + 20]


@pytest.mark.django_db(transaction=True)
def test_a_second_sealer_at_the_same_moment_changes_nothing(monkeypatch):
    """It has read what the first one seals meanwhile."""
    events = record(3)
    bulk_create, calls = AuditLink.objects.bulk_create, []

    def meanwhile(links):
        if not calls:
            calls.append(len(links))
            bulk_create(
                [
                    AuditLink(position=link.position, event=link.event, hash=link.hash, sealed_at=link.sealed_at)
                    for link in links
                ]
            )
        return bulk_create(links)

    monkeypatch.setattr(AuditLink.objects, "bulk_create", meanwhile)
    assert audit_links.seal() == 0
    assert calls == [3]
    assert audit_links.seal() == 3
    assert positions() == [event.pk for event in events]


def test_the_cost_does_not_grow_with_the_trail(django_assert_max_num_queries):
    record(2)
    audit_links.seal()
    record()
    with django_assert_max_num_queries(10):
        audit_links.seal()


def test_it_is_done_once_in_a_minute():
    record()
    seal_if_due()
    record(by=system(JOB))
    seal_if_due()
    assert len(positions()) == 1
    Slot.objects.update(due_at=Slot.objects.get(name="seal").due_at - timedelta(minutes=1))
    seal_if_due()
    assert len(positions()) == 2
